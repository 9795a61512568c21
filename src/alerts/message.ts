import { newId } from "../ids.js";
import type { AlertRule, AlertState, Evidence, NewDelivery } from "../store/alert-types.js";

/** A change of an alert's state, as it is told to a webhook. */
export interface AlertNews extends Evidence {
  event: AlertState;
  alertId: string;
  rule: AlertRule;
  candidate: string;
  runId: number;
  /** Unix milliseconds. */
  startedAtMs: number;
  resolvedAtMs: number | null;
}

/** The body that a webhook receives. Rates are fractions, moments Unix milliseconds. */
export interface AlertPayload {
  /** The same at every attempt: a receiver that has seen it can drop it. */
  id: string;
  event: AlertState;
  alert: { id: string; state: AlertState; run: number; startedAt: number; resolvedAt: number | null };
  rule: number;
  ruleName: string;
  deployment: string;
  candidate: string;
  diffRate: number;
  samples: number;
  mismatches: number;
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
    deployment: rule.deployment,
    candidate: news.candidate,
    diffRate: news.diffRate,
    samples: news.samples,
    mismatches: news.mismatches,
    threshold: rule.threshold,
    windowMs: rule.windowMs,
    startedAt: news.startedAtMs,
  };
  return { id, url: rule.webhookUrl, payload };
}
