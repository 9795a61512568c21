import { messageOf } from "../errors.js";
import { ProtocolError } from "../protocol/error.js";
import { deploymentRedactor, type RedactorOptions } from "../redaction/deployment.js";
import type { Redactor } from "../redaction/redactor.js";
import type { Redaction } from "../redaction/settings.js";
import type { GatewayConfig } from "../store/types.js";

/** What redacts a deployment's exchanges. null: nothing is to be redacted. `unknown`: nobody has said what is. */
export type DeploymentRedactor = Redactor | null | "unknown";

/**
 * The redactors of all deployments, as they were last told. Until they are, nothing is known of any. A header that has
 * been a subject's once is never kept as it is unless it was chosen as a tag since: requests that were under way when
 * the subject changed have it still.
 */
export interface Redactors {
  /** Replaces all that was known. */
  tell(config: GatewayConfig): void;
  of(deploymentId: number): DeploymentRedactor;
}

export function createRedactors(options: RedactorOptions): Redactors {
  let known = new Map<number, DeploymentRedactor>();
  const subjects = new Map<number, Set<string>>();

  /** With rules against headers that were the subject's before. */
  function lasting({ id, redaction, capture: { tags } }: GatewayConfig["deployments"][number]): Redaction {
    const { rules, subject } = redaction;
    const now = subject !== null && "header" in subject ? subject.header : null;
    const ever = subjects.get(id) ?? new Set<string>();
    if (now !== null) subjects.set(id, ever.add(now));
    const retired = [...ever].filter((header) => header !== now && !tags.includes(header));
    const dropped = retired.map((header) => ({ target: { header }, action: "drop" as const }));
    return { ...redaction, rules: [...rules, ...dropped] };
  }

  return {
    tell({ deployments }) {
      known = new Map(deployments.map((one) => [one.id, deploymentRedactor(lasting(one), one.id, options)]));
    },
    of(deploymentId) {
      const redactor = known.get(deploymentId);
      return redactor === undefined ? "unknown" : redactor;
    },
  };
}

/** Why an exchange could not be redacted, for the log: without what messages about foreign bodies quote of them. */
export function redactionFault(error: unknown): string {
  return error instanceof ProtocolError ? "a body is not what the protocol says" : messageOf(error);
}
