import { createHash } from "node:crypto";
import { UnderstudyError } from "../errors.js";
import type { Prisma } from "./generated/client.js";
import type { Transaction } from "./runs.js";
import { jsonText } from "./sql.js";

/** A policy's digest is that of its text, so that a report can name what it was judged by. */
export function policyColumns(version: number, policy: unknown) {
  const text = jsonText(policy);
  return {
    version,
    body: JSON.parse(text) as Prisma.InputJsonValue,
    sha256: createHash("sha256").update(text).digest("hex"),
  };
}

/** The caller holds the deployment's lock. Trials are counted with the others: a version names one policy. */
export async function nextPolicyVersion(tx: Transaction, deploymentId: number): Promise<number> {
  const { _max } = await tx.policy.aggregate({ where: { deploymentId }, _max: { version: true } });
  return (_max.version ?? 0) + 1;
}

/** A policy to try: one that is written out, or a version that is there already. */
export type TrialPolicy = { body: unknown } | { version: number };

/**
 * The id of the policy to try. A body that is there already is not put down again; a new one is a trial, and never
 * in force. The caller holds the deployment's lock.
 *
 * @throws UnderstudyError `not_found` for a version that there is none of
 */
export async function trialPolicy(
  tx: Transaction,
  deploymentId: number,
  wanted: TrialPolicy,
): Promise<number> {
  if ("version" in wanted) {
    const found = await tx.policy.findFirst({ where: { deploymentId, version: wanted.version } });
    if (found) return found.id;
    throw new UnderstudyError("not_found", `The deployment has no policy version ${wanted.version}.`);
  }
  const columns = policyColumns(await nextPolicyVersion(tx, deploymentId), wanted.body);
  const known = await tx.policy.findFirst({ where: { deploymentId, sha256: columns.sha256 } });
  return (known ?? (await tx.policy.create({ data: { deploymentId, trial: true, ...columns } }))).id;
}
