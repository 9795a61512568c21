import { UnderstudyError } from "../errors.js";
import { planReplay } from "../replay/plan.js";
import type { CaptureFilter } from "../selections/filter.js";
import type { PrismaClient } from "./client.js";
import { noDeployment } from "./deployments.js";
import { Prisma } from "./generated/client.js";
import { beginLine, conductReplays, holdLine } from "./replay-conduct.js";
import { type ReplayFidelity, readFidelity } from "./replay-fidelity.js";
import { standsStill, stateNow } from "./replay-state.js";
import { pinTarget } from "./replay-target.js";
import type { NewReplay, Replay, ReplayState } from "./replay-types.js";
import { capturesToReplay, insertWorks } from "./replay-works.js";
import { cleanText, jsonInput } from "./sql.js";
import { rowsOf } from "./work-rows.js";

export interface Replays {
  /**
   * Plans a replay: finds its captures, and opens a run with all its works. A worker begins it.
   * @throws UnderstudyError `not_found`; `conflict` when nothing matches, or too much
   */
  open(replay: NewReplay): Promise<Replay>;
  get(runId: number): Promise<Replay>;
  /** Newest first; only those with smaller ids than `before`. */
  list(options: { deployment?: string; before?: number; limit: number }): Promise<Replay[]>;
  /** @throws UnderstudyError `not_found`; `conflict` when its state does not allow it */
  pause(runId: number): Promise<Replay>;
  /**
   * Goes on with what was due first, as if no time had passed; one that stands still since no gate needs more of it goes
   * on to its end then.
   */
  resume(runId: number): Promise<Replay>;
  cancel(runId: number): Promise<Replay>;
  /** How faithful the time line of a replay was. */
  fidelity(runId: number): Promise<ReplayFidelity>;
  /** null: there is no such replay. */
  state(runId: number): Promise<ReplayState | null>;
  /** Ends a replay that goes on, for a reason. Any other stays as it is. */
  fail(runId: number, why: string): Promise<void>;
  /** When the time line of a paced replay began, by Postgres' clock: now, where it has not yet. null: it does not go on. */
  beginLine(runId: number): Promise<number | null>;
  /** Its time line that began then stands still, until a worker is ready to send again. Any other stays as it is. */
  holdLine(runId: number, lineAtMs: number): Promise<void>;
  /** Takes the replays that go on one step further. Returns the works to be queued now. */
  conduct(): Promise<bigint[]>;
}

/** Planning may write many works at once. */
const planMs = 120_000;

export function createReplays(prisma: PrismaClient): Replays {
  const get = async (runId: number) => {
    const [replay] = await read(prisma, Prisma.sql`p.run_id = ${runId}`, 1);
    if (replay) return replay;
    throw new UnderstudyError("not_found", `There is no replay ${runId}.`, {
      hint: "`understudy replay --help` says how to start one; GET /api/v1/replays lists them.",
    });
  };

  async function move(runId: number, from: readonly ReplayState[], change: Prisma.Sql, verb: string) {
    const moved = await prisma.$executeRaw`
      UPDATE replays SET ${change} WHERE run_id = ${runId} AND state = ANY (${from as string[]}::text[])`;
    const replay = await get(runId);
    if (moved === 1) return replay;
    throw notMoved(replay, verb);
  }

  const notMoved = ({ runId, state }: Replay, verb: string) =>
    new UnderstudyError("conflict", `Replay ${runId} is ${state}: it cannot be ${verb}.`);

  /** What is in hand ends by itself; its worker asks now and then. */
  const dropWorks = (runId: number) =>
    prisma.$executeRaw`UPDATE work SET state = 'cancelled' WHERE run_id = ${runId} AND state = 'pending'`;

  return {
    open: (replay) => openReplay(prisma, replay).then(get),
    get,
    list: ({ deployment, before, limit }) =>
      read(
        prisma,
        Prisma.sql`(${deployment ?? null}::text IS NULL OR d.name = ${deployment ?? null})
          AND (${before ?? null}::int IS NULL OR p.run_id < ${before ?? null}::int)`,
        limit,
      ),
    pause: (runId) => move(runId, ["planned", "running"], Prisma.sql`state = 'paused'`, "paused"),
    async resume(runId) {
      const isGates = Prisma.sql`EXISTS (SELECT FROM gates g WHERE g.run_id = ${runId} AND g.state = 'running')`;
      // `planned`: the conductor finds out where its time line has to go on.
      const resumed = await prisma.$executeRaw`
        UPDATE replays p SET state = 'planned', for_gate = for_gate AND ${isGates}
        WHERE run_id = ${runId} AND (state = 'paused' OR ${standsStill(Prisma.sql`p`)})`;
      if (resumed === 1) return get(runId);
      throw notMoved(await get(runId), "resumed");
    },
    async cancel(runId) {
      await move(
        runId,
        ["planned", "running", "paused"],
        Prisma.sql`state = 'cancelled', ended_at = now()`,
        "cancelled",
      );
      await dropWorks(runId);
      return get(runId);
    },
    fidelity: (runId) => readFidelity(prisma, runId),
    async state(runId) {
      const [found] = await prisma.$queryRaw<{ state: ReplayState }[]>`
        SELECT ${stateNow(Prisma.sql`p`)} AS state FROM replays p WHERE p.run_id = ${runId}`;
      return found?.state ?? null;
    },
    async fail(runId, why) {
      await prisma.$executeRaw`
        UPDATE replays SET state = 'failed', ended_at = now(), error = ${cleanText(why)}
        WHERE run_id = ${runId} AND state IN ('planned', 'running', 'paused')`;
      await dropWorks(runId);
    },
    beginLine: (runId) => beginLine(prisma, runId),
    holdLine: (runId, lineAtMs) => holdLine(prisma, runId, lineAtMs),
    conduct: () => conductReplays(prisma),
  };
}

async function openReplay(prisma: PrismaClient, replay: NewReplay): Promise<number> {
  const { speed, concurrency, ratePerSecond, onFailure } = replay;
  const deployment = await prisma.deployment.findUnique({ where: { name: replay.deployment } });
  if (deployment === null) throw noDeployment(replay.deployment);
  const deploymentId = deployment.id;
  const selection = await selectionNamed(prisma, deploymentId, replay);
  const filter = selection ? (selection.filter as CaptureFilter) : replay.filter;
  const segments = await capturesToReplay(prisma, {
    deploymentId,
    filter,
    sealedId: selection?.seal ? selection.id : null,
    // A time line has an order of its own.
    inSealedOrder: speed === null,
  });
  const plan = planReplay(segments, speed);
  if (plan.captures === 0) {
    throw new UnderstudyError("conflict", "No capture matches: there is nothing to replay.", {
      hint: "Widen the time or the filter; `understudy status` says how much was captured.",
    });
  }
  return prisma.$transaction(
    async (tx) => {
      const policy = await tx.policy.findFirstOrThrow({
        where: { deploymentId, trial: false },
        orderBy: { version: "desc" },
      });
      const pins = await pinTarget(tx, deploymentId, replay.target);
      const { id: runId } = await tx.run.create({
        data: {
          kind: "replay",
          deploymentId,
          ...pins,
          policyId: policy.id,
          // Its works are all there from the start; no segment is added later.
          state: "closed",
          closedAt: new Date(),
        },
      });
      await tx.replay.create({
        data: {
          runId,
          deploymentId,
          target: { kind: replay.target.kind },
          selectionId: selection?.id ?? null,
          filter: jsonInput(filter),
          speed,
          concurrency,
          ratePerSecond,
          onFailure,
          forGate: replay.forGate ?? false,
          captures: plan.captures,
          originMs: plan.originMs,
          lengthMs: plan.lengthMs,
        },
      });
      await insertWorks(tx, runId, plan.works);
      return runId;
    },
    { timeout: planMs },
  );
}

async function selectionNamed(prisma: PrismaClient, deploymentId: number, replay: NewReplay) {
  if (replay.selection === undefined) return null;
  const key = { deploymentId_name: { deploymentId, name: replay.selection } };
  const found = await prisma.selection.findUnique({ where: key });
  if (found) return found;
  throw new UnderstudyError(
    "not_found",
    `${replay.deployment} has no selection named ${JSON.stringify(replay.selection)}.`,
    { hint: `\`understudy selection list ${replay.deployment}\` shows those that there are.` },
  );
}

async function read(prisma: PrismaClient, condition: Prisma.Sql, limit: number): Promise<Replay[]> {
  const rows = await prisma.$queryRaw<ReplayRow[]>`
    SELECT p.run_id AS "runId", p.deployment_id AS "deploymentId", d.name AS deployment, c.name AS candidate,
           p.target->>'kind' AS "targetKind", v.url, v.model, s.name AS selection, p.filter,
           o.version AS "policyVersion", p.speed, p.concurrency, p.rate_per_second AS "ratePerSecond",
           p.on_failure AS "onFailure", ${stateNow(Prisma.sql`p`)} AS state, p.error, p.captures, p.length_ms AS "lengthMs",
           p.line_at_ms AS "lineAtMs", p.interruptions, p.created_at AS "createdAt", p.started_at AS "startedAt",
           p.ended_at AS "endedAt", works.*
    FROM replays p
    JOIN runs r ON r.id = p.run_id
    JOIN deployments d ON d.id = p.deployment_id
    JOIN candidates c ON c.id = r.candidate_id
    JOIN model_versions v ON v.id = r.model_version_id
    JOIN policies o ON o.id = r.policy_id
    LEFT JOIN selections s ON s.id = p.selection_id
    CROSS JOIN LATERAL (
      SELECT count(*)::int AS total, count(*) FILTER (WHERE w.state IN ('pending', 'leased'))::int AS open,
             count(*) FILTER (WHERE w.state = 'done')::int AS done,
             count(*) FILTER (WHERE w.state = 'dead')::int AS dead,
             coalesce(sum(${rowsOf}) FILTER (WHERE w.state IN ('pending', 'leased')), 0)::int AS pending,
             coalesce(sum(${rowsOf}) FILTER (WHERE w.state = 'cancelled'), 0)::int AS cancelled
      FROM work w WHERE w.run_id = p.run_id
    ) AS works
    WHERE ${condition}
    ORDER BY p.run_id DESC
    LIMIT ${limit}`;
  return rows.map(toReplay);
}

type ReplayRow = Omit<Replay, "target" | "works" | "createdAtMs" | "startedAtMs" | "endedAtMs"> & {
  targetKind: Replay["target"]["kind"];
  url: string;
  model: string;
  total: number;
  open: number;
  done: number;
  dead: number;
  createdAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
};

function toReplay(row: ReplayRow): Replay {
  const { targetKind, url, model, total, open, done, dead, createdAt, startedAt, endedAt, ...rest } = row;
  return {
    ...rest,
    target: { kind: targetKind, url, model },
    works: { total, open, done, dead },
    createdAtMs: createdAt.getTime(),
    startedAtMs: startedAt?.getTime() ?? null,
    endedAtMs: endedAt?.getTime() ?? null,
  };
}
