/** What the alert groups of the store take and give. Times are Unix milliseconds, rates fractions. */

/**
 * What a rule watches.
 * - `diff_rate`: a candidate's diff rate over a window, against a threshold.
 * - `ledger`: that the deployment's ledger balances; threshold, window and samples are 0.
 */
export type AlertKind = "diff_rate" | "ledger";

export interface AlertRule {
  id: number;
  kind: AlertKind;
  name: string;
  /** Name of the deployment. */
  deployment: string;
  /** Name of the candidate; null: every candidate of the deployment. */
  candidate: string | null;
  /** Diff rate above which it fires. */
  threshold: number;
  windowMs: number;
  minSamples: number;
  webhookUrl: string | null;
  enabled: boolean;
  createdAtMs: number;
}

export interface NewAlertRule {
  /** Default: `diff_rate`. */
  kind?: AlertKind;
  name: string;
  deploymentId: number;
  candidateId: number | null;
  threshold: number;
  windowMs: number;
  minSamples: number;
  webhookUrl: string | null;
  enabled: boolean;
}

/** What may change; an absent field stays. */
export type AlertRuleChange = Partial<Omit<NewAlertRule, "kind" | "deploymentId" | "candidateId">>;

export type AlertState = "firing" | "resolved";

/** What was counted of a run in a rule's window. */
export interface Evidence {
  diffRate: number;
  samples: number;
  mismatches: number;
}

/** What an alert knows of its cause; of a ledger nothing is measured, and `detail` says what is off. */
export type Cause = { [Term in keyof Evidence]: number | null } & { detail: string | null };

/** A rule as it applies to one candidate's newest live run. */
export interface Watch {
  rule: AlertRule;
  candidateId: number;
  candidate: string;
  runId: number;
  /** The alert that fires now for this rule and run. */
  open: OpenAlert | null;
}

export interface OpenAlert extends Evidence {
  id: string;
  startedAtMs: number;
}

/** An alert that fires although its rule no longer watches its run. */
export interface StaleAlert extends OpenAlert {
  rule: AlertRule;
  candidate: string;
  runId: number;
}

/** A message to a webhook, before it is sent for the first time. */
export interface NewDelivery {
  id: string;
  url: string;
  payload: object;
}

export interface Delivery {
  id: string;
  event: AlertState;
  url: string;
  state: "pending" | "delivered" | "dead";
  attempts: number;
  lastError: string | null;
  createdAtMs: number;
  deliveredAtMs: number | null;
}

export interface Alert extends Cause {
  id: string;
  rule: AlertRule;
  /** null: it is about the deployment's ledger. */
  candidate: string | null;
  runId: number | null;
  state: AlertState;
  startedAtMs: number;
  resolvedAtMs: number | null;
  deliveries: Delivery[];
}
