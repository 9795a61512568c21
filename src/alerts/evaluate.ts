import { messageOf } from "../errors.js";
import { newId } from "../ids.js";
import type { Logger } from "../log.js";
import type { Queues } from "../queue/backend.js";
import { deliverJob } from "../queue/jobs.js";
import type { Evidence, StaleAlert, Watch } from "../store/alert-types.js";
import type { Store } from "../store/store.js";
import type { SeriesCounts } from "../store/types.js";
import { alertMessage } from "./message.js";

/** Messages queued in one round; the rest follows in the next. */
const messagesMax = 500;

interface Deps {
  store: Pick<Store, "alerts" | "rollups">;
  queues: Pick<Queues, "add">;
  log: Logger;
  now?: () => number;
}

/**
 * Evaluates every rule for every candidate's newest live run: fires once above the threshold, resolves once at or
 * below it, and with too few samples in the window leaves things as they are. Then queues every message that is not
 * delivered; a message that is queued already is left out, so running this twice, or in two places, changes nothing.
 */
export async function evaluateRules({ store, queues, log, now = Date.now }: Deps): Promise<void> {
  const { alerts, rollups } = store;
  for (const alert of await alerts.stale()) {
    await guarded(alert.rule.id, log, () => resolve(store, alert, alert, now()));
  }
  for (const watch of await alerts.watches()) {
    await guarded(watch.rule.id, log, async () => {
      const nowMs = now();
      const evidence = evidenceOf(await rollups.window(watch.runId, nowMs - watch.rule.windowMs));
      if (evidence === null || evidence.samples < watch.rule.minSamples) return;
      const above = evidence.diffRate > watch.rule.threshold;
      if (above && watch.open === null) await fire(store, watch, evidence, nowMs);
      if (!above && watch.open !== null) await resolve(store, { ...watch, ...watch.open }, evidence, nowMs);
    });
  }
  const pending = await alerts.pendingDeliveries(messagesMax);
  if (pending.length > 0) {
    await queues.add(
      deliverJob,
      pending.map((deliveryId) => ({ deliveryId })),
    );
  }
}

/** What the base sample says; null without a comparison that matched or mismatched. */
function evidenceOf(series: ReadonlyMap<string, SeriesCounts>): Evidence | null {
  const results = series.get("results")?.counts;
  const mismatches = results?.get("mismatch") ?? 0;
  const samples = mismatches + (results?.get("match") ?? 0);
  return samples === 0 ? null : { diffRate: mismatches / samples, samples, mismatches };
}

async function fire(
  { alerts }: Pick<Store, "alerts">,
  { rule, candidateId, candidate, runId }: Watch,
  evidence: Evidence,
  nowMs: number,
): Promise<void> {
  const id = newId(nowMs);
  const message = alertMessage({
    event: "firing",
    alertId: id,
    rule,
    candidate,
    runId,
    startedAtMs: nowMs,
    resolvedAtMs: null,
    detail: null,
    ...evidence,
  });
  await alerts.fire({ id, ruleId: rule.id, candidateId, runId, startedAtMs: nowMs, ...evidence }, message);
}

async function resolve(
  { alerts }: Pick<Store, "alerts">,
  { id, rule, candidate, runId, startedAtMs }: Omit<StaleAlert, keyof Evidence>,
  evidence: Evidence,
  nowMs: number,
): Promise<void> {
  const { diffRate, samples, mismatches } = evidence;
  const message = alertMessage({
    event: "resolved",
    alertId: id,
    rule,
    candidate,
    runId,
    startedAtMs,
    resolvedAtMs: nowMs,
    detail: null,
    diffRate,
    samples,
    mismatches,
  });
  await alerts.resolve(id, nowMs, message);
}

/** One rule that cannot be evaluated must not silence the others. */
async function guarded(rule: number, log: Logger, act: () => Promise<void>): Promise<void> {
  await act().catch((error) => log.error({ rule, error: messageOf(error) }, "alert rule not evaluated"));
}
