import type { Policy } from "../compare/policy.js";
import { UnderstudyError } from "../errors.js";
import type { PrismaClient } from "./client.js";
import { noDeployment } from "./deployments.js";
import { readEarlier } from "./earlier-outcomes.js";
import { Prisma } from "./generated/client.js";
import { type TrialPolicy, trialPolicy } from "./policies.js";
import { lockDeployment, type Transaction, toRun } from "./runs.js";
import { time } from "./sql.js";
import type { EarlierOutcome, Run, TimeRange } from "./types.js";

export interface NewRejudge {
  deployment: string;
  policy: TrialPolicy;
  /** The run whose pairs are judged again: a live or a replay run. */
  sourceRunId: number;
  /** Only segments with captures in this time. */
  range: TimeRange;
}

/** How far a run is. Counted from its works; of a rejudge, `answers` are those of its source. */
export interface RunProgress {
  deployment: string;
  candidate: string;
  policy: Policy;
  /** Of a rejudge, the policy by which its source judged. */
  sourcePolicy: { version: number; body: Policy } | null;
  works: { total: number; pending: number; done: number; dead: number };
  /** In its works. */
  captures: number;
  answers: { kept: number; bytes: number };
}

export interface Rejudges {
  /**
   * Opens a run that judges again what its source run has judged so far: pins the source's candidate revision and
   * the policy to try, and makes one work for each of the source's that is done. Live runs are not touched.
   * @throws UnderstudyError `not_found`; `conflict` when there is nothing that could be judged again
   */
  open(rejudge: NewRejudge): Promise<Run>;
  progress(runId: number): Promise<RunProgress>;
  /** How these captures, all of one UTC day, ended in a run; by capture. */
  earlier(runId: number, day: string, captureIds: readonly string[]): Promise<Map<string, EarlierOutcome>>;
}

export function createRejudges(prisma: PrismaClient): Rejudges {
  return {
    async open({ deployment, policy, sourceRunId, range }) {
      const { deploymentId, policyId } = await prisma.$transaction((tx) =>
        policyToTry(tx, deployment, policy),
      );
      // Outside the lock: many works may be made, and segments that are catalogued need not wait for that.
      return prisma.$transaction((tx) => openRun(tx, { deploymentId, policyId, sourceRunId, range }));
    },
    progress: (runId) => readProgress(prisma, runId),
    earlier: (runId, day, captureIds) => readEarlier(prisma, runId, day, captureIds),
  };
}

const withVersion = { policy: { select: { version: true } } } satisfies Prisma.RunInclude;

async function policyToTry(tx: Transaction, deployment: string, policy: TrialPolicy) {
  const deploymentId = await lockDeployment(tx, deployment);
  if (deploymentId === null) throw noDeployment(deployment);
  return { deploymentId, policyId: await trialPolicy(tx, deploymentId, policy) };
}

async function openRun(
  tx: Transaction,
  rejudge: { deploymentId: number; policyId: number; sourceRunId: number; range: TimeRange },
): Promise<Run> {
  const { deploymentId, policyId, sourceRunId, range } = rejudge;
  const source = await tx.run.findFirst({ where: { id: sourceRunId, deploymentId } });
  if (!source) throw new UnderstudyError("not_found", `The deployment has no run ${sourceRunId}.`);
  if (source.kind === "rejudge") {
    throw new UnderstudyError("conflict", `Run ${sourceRunId} sent nothing: it has no answers of its own.`, {
      hint: `Name the run that it judged again: ${source.sourceRunId}.`,
    });
  }
  const run = await tx.run.create({
    data: {
      kind: "rejudge",
      deploymentId,
      candidateId: source.candidateId,
      modelVersionId: source.modelVersionId,
      policyId,
      sourceRunId,
      // Its works are all there from the start; no segment is added later.
      state: "closed",
      closedAt: new Date(),
    },
    include: withVersion,
  });
  const kept = await copyWorks(tx, sourceRunId, run.id, range);
  if (kept > 0) return toRun(run);
  throw new UnderstudyError("conflict", `No answers are kept of run ${sourceRunId} for that time.`, {
    hint: "Wait until something was judged, or set keepAnswers of the deployment to all, divergent or a share.",
  });
}

/** One work for each of the source's that is done. Returns how many answers are kept of these. */
async function copyWorks(tx: Transaction, sourceRunId: number, runId: number, range: TimeRange) {
  const { fromMs, toMs } = range;
  const inTime = Prisma.join(
    [
      Prisma.sql`TRUE`,
      ...(fromMs === null ? [] : [Prisma.sql`s.last_at >= ${time(fromMs)}::timestamptz`]),
      ...(toMs === null ? [] : [Prisma.sql`s.first_at < ${time(toMs)}::timestamptz`]),
    ],
    " AND ",
  );
  const [row] = await tx.$queryRaw<{ kept: number }[]>`
    WITH source AS (
      SELECT w.segment_id, w.first_row, w.rows, w.row_list, w.answers_kept, w.id
      FROM work w JOIN segments s ON s.id = w.segment_id
      WHERE w.run_id = ${sourceRunId} AND w.state = 'done' AND ${inTime}
    ), works AS (
      INSERT INTO work (segment_id, run_id, first_row, rows, row_list)
      SELECT segment_id, ${runId}::int, first_row, rows, row_list FROM source ORDER BY id
    )
    SELECT coalesce(sum(answers_kept), 0)::float8 AS kept FROM source`;
  return row!.kept;
}

async function readProgress(prisma: PrismaClient, runId: number): Promise<RunProgress> {
  const [row] = await prisma.$queryRaw<
    {
      deployment: string;
      candidate: string;
      policy: Policy;
      sourceVersion: number | null;
      sourceBody: Policy | null;
      total: number;
      pending: number;
      done: number;
      dead: number;
      captures: number;
      kept: number;
      bytes: number;
    }[]
  >`
    SELECT d.name AS deployment, c.name AS candidate, p.body AS policy,
      sp.version AS "sourceVersion", sp.body AS "sourceBody", count(w.id)::float8 AS total,
      count(*) FILTER (WHERE w.state IN ('pending', 'leased'))::float8 AS pending,
      count(*) FILTER (WHERE w.state = 'done')::float8 AS done,
      count(*) FILTER (WHERE w.state = 'dead')::float8 AS dead,
      coalesce(sum(CASE WHEN w.row_list IS NULL THEN w.rows ELSE cardinality(w.row_list) END), 0)::float8 AS captures,
      coalesce(sum(source.answers_kept), 0)::float8 AS kept,
      coalesce(sum(source.answers_bytes), 0)::float8 AS bytes
    FROM runs r
    JOIN candidates c ON c.id = r.candidate_id
    JOIN deployments d ON d.id = r.deployment_id
    JOIN policies p ON p.id = r.policy_id
    LEFT JOIN runs sr ON sr.id = r.source_run_id
    LEFT JOIN policies sp ON sp.id = sr.policy_id
    LEFT JOIN work w ON w.run_id = r.id
    LEFT JOIN work source ON source.run_id = coalesce(r.source_run_id, r.id) AND source.segment_id = w.segment_id
      AND source.first_row = w.first_row
    WHERE r.id = ${runId}
    GROUP BY d.name, c.name, p.id, sp.id`;
  const { total, pending, done, dead, kept, bytes, sourceVersion, sourceBody, ...rest } = row!;
  return {
    ...rest,
    sourcePolicy:
      sourceVersion === null || sourceBody === null ? null : { version: sourceVersion, body: sourceBody },
    works: { total, pending, done, dead },
    answers: { kept, bytes },
  };
}
