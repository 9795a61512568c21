import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type {
  AlertPage,
  CandidatePage,
  CaptureSwitch,
  DeploymentPage,
  Estimate,
  Ledger,
  Summary,
} from "../control/api.js";
import { table } from "./table.js";

interface CandidateStatus {
  deployment: string;
  candidate: string;
  summary: Summary;
}

/** `understudy status`: deployments, candidates with their diff rates, ledgers, and firing alerts. */
export function statusCommand(): Command {
  return new Command("status")
    .description("show deployments, candidates with their diff rates, ledgers, and firing alerts")
    .option("--json", "print JSON")
    .action(async (options: { json?: boolean }) => {
      const api = createApiClient(loadConfig().controlUrl);
      const { items: deployments } = await api.get<DeploymentPage>("/deployments?limit=500");
      const capture = await api.get<CaptureSwitch>("/capture");
      const ledgers: { deployment: string; ledger: Ledger }[] = [];
      const estimates: { deployment: string; estimate: Estimate }[] = [];
      const candidates: CandidateStatus[] = [];
      for (const { name } of deployments) {
        const path = `/deployments/${encodeURIComponent(name)}`;
        ledgers.push({ deployment: name, ledger: await api.get<Ledger>(`${path}/ledger`) });
        estimates.push({ deployment: name, estimate: await api.get<Estimate>(`${path}/estimate`) });
        const { items } = await api.get<CandidatePage>(`${path}/candidates?limit=500`);
        for (const candidate of items) {
          const summary = await api.get<Summary>(
            `${path}/candidates/${encodeURIComponent(candidate.name)}/summary`,
          );
          candidates.push({ deployment: name, candidate: candidate.name, summary });
        }
      }
      const { items: alerts } = await api.get<AlertPage>("/alerts?state=firing");
      if (options.json) {
        process.stdout.write(
          `${JSON.stringify({ deployments, capture, ledgers, estimates, candidates, alerts })}\n`,
        );
        return;
      }
      if (deployments.length === 0) {
        process.stdout.write("no deployments yet; next: understudy register NAME --primary URL\n");
        return;
      }
      process.stdout.write(
        `${ledgerTable(ledgers)}\n\n${estimateTable(estimates)}\n\n${candidateTable(candidates)}\n`,
      );
      if (!capture.enabled) {
        process.stdout.write("\ncapture is off for all deployments; next: understudy capture on\n");
      }
      for (const alert of alerts) {
        process.stdout.write(
          `\nfiring: ${alert.ruleName}: ${alert.deployment}/${alert.candidate} ${percent(alert.diffRate)} ` +
            `> ${percent(alert.threshold)} since ${new Date(alert.startedAt).toISOString()}\n`,
        );
      }
    });
}

const sum = (counts: Record<string, number>) => Object.values(counts).reduce((total, n) => total + n, 0);
const percent = (rate: number | null) => (rate === null ? "–" : `${(rate * 100).toFixed(2)} %`);
const ms = (value: number | null) => (value === null ? "–" : `${value.toFixed(2)} ms`);

/** Share of the control's answers that mismatch the primary's. */
function noise({ noise }: Summary): string {
  return noise === null || noise.samples === 0 ? "not measured" : percent(noise.mismatches / noise.samples);
}

function ledgerTable(ledgers: { deployment: string; ledger: Ledger }[]): string {
  return table(
    [
      "deployment",
      "received",
      "captured",
      "buffered",
      "sampled out",
      "not eligible",
      "dropped",
      "lost",
      "in flight",
      "balanced",
    ],
    ledgers.map(({ deployment, ledger }) => [
      deployment,
      ledger.received,
      ledger.captured,
      ledger.buffered,
      ledger.sampledOut,
      sum(ledger.notEligible),
      sum(ledger.dropped),
      ledger.lost,
      ledger.inFlight,
      ledger.balanced ? "yes" : "NO",
    ]),
  );
}

function estimateTable(estimates: { deployment: string; estimate: Estimate }[]): string {
  return table(
    [
      "deployment",
      "capture",
      "sample rate",
      "rules",
      "seen for",
      "requests/day",
      "captured/day",
      "stored/day",
    ],
    estimates.map(({ deployment, estimate }) => [
      deployment,
      estimate.captureEnabled ? "on" : "off",
      percent(estimate.sampleRate),
      estimate.rules,
      `${Math.round(estimate.observedMs / 60_000)} min`,
      estimate.requestsPerDay === null ? "–" : Math.round(estimate.requestsPerDay),
      megabytes(estimate.bytesPerDay),
      megabytes(estimate.storedBytesPerDay),
    ]),
  );
}

const megabytes = (bytes: number | null) => (bytes === null ? "–" : `${(bytes / 1e6).toFixed(1)} MB`);

function candidateTable(candidates: CandidateStatus[]): string {
  return table(
    [
      "candidate",
      "samples",
      "diff rate",
      "95 % interval",
      "flips",
      "errors",
      "noise",
      "p99 primary",
      "p99 candidate",
    ],
    candidates.map(({ deployment, candidate, summary }) => [
      `${deployment}/${candidate}`,
      summary.samples,
      percent(summary.diffRate),
      summary.diffRateInterval.map(percent).join(" … "),
      percent(summary.decisionFlipRate),
      percent(summary.errorRate),
      noise(summary),
      ms(summary.latency.primary.p99),
      ms(summary.latency.candidate.p99),
    ]),
  );
}
