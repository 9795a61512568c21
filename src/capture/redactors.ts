import { keyedHash } from "../redaction/keyed-hash.js";
import { createRedactor, type Redactor } from "../redaction/redactor.js";
import { redactsAnything } from "../redaction/settings.js";
import type { GatewayConfig } from "../store/types.js";

/** What redacts a deployment's exchanges. null: nothing is to be redacted. `unknown`: nobody has said what is. */
export type DeploymentRedactor = Redactor | null | "unknown";

/** The redactors of all deployments, as they were last told. Until they are, nothing is known of any. */
export interface Redactors {
  /** Replaces all that was known. */
  tell(config: GatewayConfig): void;
  of(deploymentId: number): DeploymentRedactor;
}

/**
 * @param deps.key `UNDERSTUDY_REDACTION_KEY`; without it, rules that need it fail
 * @param deps.bodyBytesMax most bytes of a body once its content coding is removed
 */
export function createRedactors(deps: { key: string | undefined; bodyBytesMax: number }): Redactors {
  const { key, bodyBytesMax } = deps;
  let known = new Map<number, DeploymentRedactor>();
  return {
    tell({ deployments }) {
      known = new Map(
        deployments.map(({ id, redaction }) => {
          if (!redactsAnything(redaction)) return [id, null];
          const hash = key === undefined ? null : keyedHash(key, id);
          return [id, createRedactor(redaction, { hash, bytesMax: bodyBytesMax })];
        }),
      );
    },
    of(deploymentId) {
      const redactor = known.get(deploymentId);
      return redactor === undefined ? "unknown" : redactor;
    },
  };
}
