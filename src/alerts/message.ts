import { newId } from "../ids.js";
import type { AlertKind, AlertRule, AlertState, Cause, NewDelivery } from "../store/alert-types.js";

/** A change of an alert's state, as it is told to a webhook. */
export interface AlertNews extends Cause {
  event: AlertState;
  alertId: string;
  rule: AlertRule;
  candidate: string | null;
  runId: number | null;
  /** Unix milliseconds. */
  startedAtMs: number;
  resolvedAtMs: number | null;
}

/** The body that a webhook receives; of a `ledger`, what concerns a candidate is null. Rates are fractions, moments Unix milliseconds. */
export interface AlertPayload {
  /** The same at every attempt: a receiver that has seen it can drop it. */
  id: string;
  event: AlertState;
  alert: { id: string; state: AlertState; run: number | null; startedAt: number; resolvedAt: number | null };
  rule: number;
  ruleName: string;
  kind: AlertKind;
  deployment: string;
  candidate: string | null;
  diffRate: number | null;
  samples: number | null;
  mismatches: number | null;
  /** What is off in a ledger. */
  detail: string | null;
  threshold: number;
  windowMs: number;
  startedAt: number;
}

/** The message for the rule's webhook; null when it has none. */
export function alertMessage(news: AlertNews): NewDelivery | null {
  const { rule, event } = news;
  if (rule.webhookUrl === null) return null;
  const id = newId();
  const payload: AlertPayload = {
    id,
    event,
    alert: {
      id: news.alertId,
      state: event,
      run: news.runId,
      startedAt: news.startedAtMs,
      resolvedAt: news.resolvedAtMs,
    },
    rule: rule.id,
    ruleName: rule.name,
    kind: rule.kind,
    deployment: rule.deployment,
    candidate: news.candidate,
    diffRate: news.diffRate,
    samples: news.samples,
    mismatches: news.mismatches,
    detail: news.detail,
    threshold: rule.threshold,
    windowMs: rule.windowMs,
    startedAt: news.startedAtMs,
  };
  return { id, url: rule.webhookUrl, payload };
}
