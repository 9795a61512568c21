import { keyedHash } from "./keyed-hash.js";
import { createRedactor, type Redactor } from "./redactor.js";
import { type Redaction, redactsAnything } from "./settings.js";

/** What every redactor of one process shares. */
export interface RedactorOptions {
  /** `UNDERSTUDY_REDACTION_KEY`; without it, rules that need it fail. */
  key: string | undefined;
  /** Most bytes of a body once its content coding is removed. */
  bytesMax: number;
}

/** The redactor of a deployment; null: nothing is to be redacted. */
export function deploymentRedactor(
  redaction: Redaction,
  deploymentId: number,
  { key, bytesMax }: RedactorOptions,
): Redactor | null {
  if (!redactsAnything(redaction)) return null;
  const hash = key === undefined ? null : keyedHash(key, deploymentId);
  return createRedactor(redaction, { hash, bytesMax });
}
