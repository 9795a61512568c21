import type { Prisma } from "./generated/client.js";
import type { Run, RunKind } from "./types.js";

/** A transaction of Prisma's, or Prisma itself. */
export type Transaction = Prisma.TransactionClient;

/** What a run pins. */
export interface Pins {
  deploymentId: number;
  candidateId: number;
  modelVersionId: number;
  policyId: number;
}

/**
 * Closes the candidate's live run, if any, and opens another. The caller holds the lock of {@link lockDeployment};
 * the raised revision tells a `commitSegment` that waited for it that there are runs which it does not see.
 */
export async function openLiveRun(tx: Transaction, pins: Pins): Promise<void> {
  const { deploymentId, candidateId, modelVersionId, policyId } = pins;
  await tx.deployment.update({ where: { id: deploymentId }, data: { revision: { increment: 1 } } });
  await tx.$executeRaw`
    UPDATE runs SET state = 'closed', closed_at = clock_timestamp()
    WHERE candidate_id = ${candidateId} AND kind = 'live' AND state = 'open'`;
  await tx.run.create({ data: { kind: "live", deploymentId, candidateId, modelVersionId, policyId } });
}

/**
 * Until the transaction ends, waits for and holds up whatever else changes the deployment, and segments being
 * catalogued. Returns the deployment's id; null when there is none of that name.
 */
export async function lockDeployment(tx: Transaction, name: string): Promise<number | null> {
  const [row] = await tx.$queryRaw<{ id: number }[]>`
    SELECT id FROM deployments WHERE name = ${name} FOR NO KEY UPDATE`;
  return row?.id ?? null;
}

/** A row of `runs` with its policy's version. */
export type RunRow = Prisma.RunGetPayload<{ include: { policy: { select: { version: true } } } }>;

export function toRun({ policy, openedAt, closedAt, ...row }: RunRow): Run {
  return {
    id: row.id,
    kind: row.kind as RunKind,
    deploymentId: row.deploymentId,
    candidateId: row.candidateId,
    modelVersionId: row.modelVersionId,
    policyVersion: policy.version,
    sourceRunId: row.sourceRunId,
    state: row.state as Run["state"],
    openedAtMs: openedAt.getTime(),
    closedAtMs: closedAt?.getTime() ?? null,
  };
}
