import { messageOf } from "../errors.js";
import { ProtocolError } from "../protocol/error.js";
import { deploymentRedactor, type RedactorOptions } from "../redaction/deployment.js";
import type { Redactor } from "../redaction/redactor.js";
import type { GatewayConfig } from "../store/types.js";

/** What redacts a deployment's exchanges. null: nothing is to be redacted. `unknown`: nobody has said what is. */
export type DeploymentRedactor = Redactor | null | "unknown";

/** The redactors of all deployments, as they were last told. Until they are, nothing is known of any. */
export interface Redactors {
  /** Replaces all that was known. */
  tell(config: GatewayConfig): void;
  of(deploymentId: number): DeploymentRedactor;
}

export function createRedactors(options: RedactorOptions): Redactors {
  let known = new Map<number, DeploymentRedactor>();
  return {
    tell({ deployments }) {
      known = new Map(
        deployments.map(({ id, redaction }) => [id, deploymentRedactor(redaction, id, options)]),
      );
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
