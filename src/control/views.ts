import type { Alert as StoredAlert, AlertRule as StoredRule } from "../store/alert-types.js";
import type { DeadWork as StoredDeadWork } from "../store/dead-works.js";
import type {
  Candidate as StoredCandidate,
  Deployment as StoredDeployment,
  Policy as StoredPolicy,
} from "../store/types.js";
import type { Endpoint } from "../upstream/endpoint.js";
import type { Alert, AlertRule, Candidate, DeadWork, Deployment, Policy, PolicyBody } from "./api.js";
import { candidateWarnings } from "./candidate-warnings.js";

/** What the store gives, as the API shows it. */

export function deploymentView(deployment: StoredDeployment): Deployment {
  return {
    name: deployment.name,
    primary: { ...endpointView(deployment.primary), replicas: [...(deployment.primary.replicas ?? [])] },
    control: deployment.control && endpointView(deployment.control),
    sampleRate: deployment.sampleRate,
    captureEnabled: deployment.captureEnabled,
    capture: deployment.capture,
    redaction: deployment.redaction,
    keepAnswers: deployment.keepAnswers,
    keepMatchDetails: deployment.keepMatchDetails,
    answersBytesPerDay: deployment.answersBytesPerDay,
    gateApproval: deployment.gateApproval,
    promoteUrl: deployment.promoteUrl,
    revision: deployment.revision,
    createdAt: deployment.createdAtMs,
    updatedAt: deployment.updatedAtMs,
  };
}

export function candidateView(
  { name: deployment, primary }: Pick<StoredDeployment, "name" | "primary">,
  candidate: StoredCandidate,
): Candidate {
  const { breaker } = candidate;
  return {
    name: candidate.name,
    deployment,
    ...endpointView(candidate.endpoint),
    sha256: candidate.sha256,
    state: candidate.state,
    flow: candidate.flow,
    breaker: breaker && {
      since: breaker.openedAtMs,
      retryAt: breaker.retryAtMs,
      reason: breaker.reason,
      workers: breaker.workers,
    },
    warnings: candidateWarnings(primary, candidate),
    run: candidate.liveRunId,
    createdAt: candidate.createdAtMs,
    updatedAt: candidate.updatedAtMs,
  };
}

export function policyView(policy: StoredPolicy): Policy {
  return {
    version: policy.version,
    body: policy.body as PolicyBody & Policy["body"],
    createdAt: policy.createdAtMs,
  };
}

export function deadWorkView({ id, diedAtMs, ...work }: StoredDeadWork): DeadWork {
  return { ...work, id: String(id), diedAt: diedAtMs };
}

export function alertRuleView(rule: StoredRule): AlertRule {
  const { createdAtMs, ...rest } = rule;
  return { ...rest, createdAt: createdAtMs };
}

export function alertView(alert: StoredAlert): Alert {
  return {
    id: alert.id,
    rule: alert.rule.id,
    ruleName: alert.rule.name,
    kind: alert.rule.kind,
    deployment: alert.rule.deployment,
    candidate: alert.candidate,
    run: alert.runId,
    state: alert.state,
    threshold: alert.rule.threshold,
    diffRate: alert.diffRate,
    samples: alert.samples,
    mismatches: alert.mismatches,
    detail: alert.detail,
    startedAt: alert.startedAtMs,
    resolvedAt: alert.resolvedAtMs,
    deliveries: alert.deliveries.map(({ createdAtMs, deliveredAtMs, ...delivery }) => ({
      ...delivery,
      createdAt: createdAtMs,
      deliveredAt: deliveredAtMs,
    })),
  };
}

function endpointView({ url, model, version, headers }: Endpoint) {
  return { url, model, version, headers: { ...headers } };
}
