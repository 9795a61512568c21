import { messageOf } from "../errors.js";
import { newId } from "../ids.js";
import type { Logger } from "../log.js";
import type { AlertRule } from "../store/alert-types.js";
import type { OpenLedgerAlert } from "../store/ledger-checks.js";
import type { Store } from "../store/store.js";
import type { Deployment } from "../store/types.js";
import { imbalanceText } from "./imbalance-text.js";
import { alertMessage } from "./message.js";

/**
 * Checks in a row that must find an imbalance before it is an alert. Each reads one snapshot of a consistent cut, so
 * one would do; the second is for what restores or repairs the database by hand in several steps.
 */
const inARowMin = 2;

interface Deps {
  store: Pick<Store, "alerts" | "ledger" | "ledgerChecks" | "registry">;
  log: Logger;
  now?: () => number;
}

/**
 * Checks the sums of every deployment's ledger, keeps what came of it, and tells: an alert fires once when two checks
 * in a row found an imbalance, and resolves once when one finds none. The evaluation of rules sends the messages.
 */
export async function checkLedgers(deps: Deps): Promise<void> {
  for (const deployment of await deps.store.registry.listDeployments()) {
    // One ledger that cannot be read must not hide the others.
    await checkLedger(deps, deployment).catch((error) =>
      deps.log.error({ deployment: deployment.name, error: messageOf(error) }, "ledger not checked"),
    );
  }
}

async function checkLedger({ store, log, now = Date.now }: Deps, deployment: Deployment): Promise<void> {
  const { alerts, ledger, ledgerChecks } = store;
  const imbalances = await ledger.imbalances(deployment.id);
  const nowMs = now();
  const check = await ledgerChecks.record(deployment.id, nowMs, imbalances);
  if (check === null) return;
  const detail = imbalances.map(imbalanceText).join("; ");
  if (detail !== "") log.error({ deployment: deployment.name, detail }, "the ledger does not balance");
  for (const open of await ledgerChecks.open(deployment.id)) {
    if (detail !== "" && open.rule.enabled) continue;
    await alerts.resolve(open.id, nowMs, messageFor("resolved", open, nowMs));
  }
  if (check.inARow < inARowMin) return;
  for (const rule of await rulesOf(store, deployment)) {
    if (!rule.enabled) continue;
    const alert = { id: newId(nowMs), rule, startedAtMs: nowMs, detail };
    await alerts.fire(
      { ...alert, ruleId: rule.id, candidateId: null, runId: null, ...nothingMeasured },
      messageFor("firing", alert, null),
    );
  }
}

/** An imbalance is an alert whether or not anybody asked to be told; a rule without a webhook shows it on the page. */
async function rulesOf({ alerts, ledgerChecks }: Deps["store"], { id, name }: Deployment) {
  const rules = await ledgerChecks.rules(id);
  if (rules.length > 0) return rules;
  const rule = {
    ...{ kind: "ledger" as const, name: `${name}: ledger`, deploymentId: id, candidateId: null },
    ...{ threshold: 0, windowMs: 0, minSamples: 0, webhookUrl: null, enabled: true },
  };
  return [await alerts.createRule(rule)];
}

const nothingMeasured = { diffRate: null, samples: null, mismatches: null };

function messageFor(
  event: "firing" | "resolved",
  { id, rule, startedAtMs, detail }: OpenLedgerAlert & { rule: AlertRule },
  resolvedAtMs: number | null,
) {
  const alert = { alertId: id, rule, candidate: null, runId: null, startedAtMs, resolvedAtMs, detail };
  return alertMessage({ event, ...alert, ...nothingMeasured });
}
