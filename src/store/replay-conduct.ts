import { sharesOf } from "../replay/shares.js";
import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";
import { standsStill } from "./replay-state.js";
import type { Transaction } from "./runs.js";

/** A slice is queued so long before its time. */
const aheadMs = 6_000;
/** A time line that nobody conducted for so long stands still: no worker ran. */
const interruptedMs = 10_000;
/** A work that was queued so long ago and that nobody has may be lost. */
const lostMs = 10_000;
/** Replays that go on at a time; the others wait. */
const replaysMax = 20;
/** Slices queued in one step. */
const slicesMax = 1_000;

interface Conducted {
  runId: number;
  state: "planned" | "running";
  speed: number | null;
  concurrency: number;
  lineAtMs: number | null;
  nowMs: number;
  idleMs: number;
}

/** From when the first worker is ready to the first request: what the others need to be ready too. */
const leadMs = 1_000;

/**
 * One step of all replays that go on: begins what was planned, queues the works whose time is near, or for which
 * there is room, and ends what is done. Several workers may do this; each replay is in one's hands at a time.
 *
 * The time line of a paced replay stands still while it is paused or while no worker runs at all: then it goes on
 * where the first work that is not done begins, once a worker is ready to send ({@link beginLine}). A slice that is late while others run is not waited for.
 */
export function conductReplays(prisma: PrismaClient): Promise<bigint[]> {
  return prisma.$transaction(async (tx) => {
    const replays = await tx.$queryRaw<Conducted[]>`
      SELECT run_id AS "runId", state, speed, concurrency, line_at_ms AS "lineAtMs",
             (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS "nowMs",
             (extract(epoch FROM clock_timestamp() - coalesce(conducted_at, clock_timestamp())) * 1000)::float8 AS "idleMs"
      FROM replays p
      WHERE state IN ('planned', 'running') AND NOT ${standsStill(Prisma.sql`p`)}
      ORDER BY run_id
      LIMIT ${replaysMax}
      FOR UPDATE OF p SKIP LOCKED`;
    // What was in somebody's hands when its replay was ended, and was handed back since, or never.
    await tx.$executeRaw`
      UPDATE work SET state = 'cancelled' FROM replays
      WHERE replays.run_id = work.run_id AND replays.state IN ('cancelled', 'failed')
        AND replays.ended_at > now() - interval '1 hour'
        AND (work.state = 'pending' OR (work.state = 'leased' AND work.lease_until < now()))`;
    const due: bigint[] = [];
    for (const replay of replays) due.push(...(await step(tx, replay)));
    return due;
  });
}

async function step(tx: Transaction, replay: Conducted): Promise<bigint[]> {
  const { runId, state, speed, nowMs } = replay;
  const [{ open, firstDueMs } = { open: 0, firstDueMs: null }] = await tx.$queryRaw<
    { open: number; firstDueMs: number | null }[]
  >`
    SELECT count(*)::int AS open, min(due_ms) AS "firstDueMs" FROM work
    WHERE run_id = ${runId} AND state IN ('pending', 'leased')`;
  if (open === 0) {
    await tx.$executeRaw`UPDATE replays SET state = 'done', ended_at = now() WHERE run_id = ${runId}`;
    return [];
  }
  const interrupted = state === "running" && speed !== null && replay.idleMs > interruptedMs;
  const begins = state === "planned" || interrupted;
  const lineAtMs = begins ? null : replay.lineAtMs;
  await tx.$executeRaw`
    UPDATE replays SET state = 'running', line_at_ms = ${lineAtMs}::float8, conducted_at = clock_timestamp(),
      started_at = coalesce(started_at, now()), interruptions = interruptions + ${interrupted ? 1 : 0}
    WHERE run_id = ${runId}`;
  if (speed === null) return queueAsRoom(tx, replay);
  const placeMs = lineAtMs === null ? (firstDueMs ?? 0) : (nowMs - lineAtMs) * speed;
  return queueAhead(tx, runId, placeMs + aheadMs * speed);
}

/**
 * Begins the time line of a paced replay where its first open work is due; the first worker that is ready to send
 * does, since what it has to load before, a model above all, may take any time.
 *
 * @returns when the line began, by Postgres' clock, Unix milliseconds; null: the replay does not go on
 */
export async function beginLine(prisma: PrismaClient, runId: number): Promise<number | null> {
  const [line] = await prisma.$queryRaw<{ lineAtMs: number }[]>`
    UPDATE replays SET line_at_ms = coalesce(line_at_ms,
      (extract(epoch FROM clock_timestamp()) * 1000)::float8 + ${leadMs}::float8 - coalesce((
        SELECT min(due_ms) FROM work WHERE run_id = ${runId} AND state IN ('pending', 'leased')), 0) / speed)
    WHERE run_id = ${runId} AND state = 'running' AND speed IS NOT NULL
    RETURNING line_at_ms AS "lineAtMs"`;
  return line?.lineAtMs ?? null;
}

/** The next that is ready to send begins it anew ({@link beginLine}). Of several slices that fail on one line the first counts. */
export async function holdLine(prisma: PrismaClient, runId: number, lineAtMs: number): Promise<void> {
  await prisma.$executeRaw`
    UPDATE replays SET line_at_ms = NULL, interruptions = interruptions + 1
    WHERE run_id = ${runId} AND state = 'running' AND line_at_ms = ${lineAtMs}::float8`;
}

/** @param untilMs place on the recorded time line */
async function queueAhead(tx: Transaction, runId: number, untilMs: number): Promise<bigint[]> {
  const rows = await tx.$queryRaw<{ id: bigint }[]>`
    UPDATE work SET enqueued_at = now()
    WHERE id IN (
      SELECT id FROM work
      WHERE run_id = ${runId} AND state IN ('pending', 'leased') AND due_ms <= ${untilMs}::float8
        AND (state = 'pending' OR lease_until < now())
        AND (enqueued_at IS NULL OR enqueued_at < now() - ${lostMs}::float8 * interval '1 millisecond'
             OR (state = 'leased' AND enqueued_at < lease_until))
      ORDER BY due_ms, id
      LIMIT ${slicesMax})
    RETURNING id`;
  return inOrder(rows);
}

/** As many works at a time as share the cap on requests in flight. */
async function queueAsRoom(tx: Transaction, { runId, concurrency }: Conducted): Promise<bigint[]> {
  const { works } = sharesOf(concurrency);
  const rows = await tx.$queryRaw<{ id: bigint }[]>`
    WITH open AS (
      SELECT id, state, enqueued_at, lease_until,
             (state = 'leased' AND lease_until >= now())
               OR (state = 'pending' AND enqueued_at >= now() - ${lostMs}::float8 * interval '1 millisecond') AS held
      FROM work WHERE run_id = ${runId} AND state IN ('pending', 'leased')
    ), free AS (
      SELECT id FROM open WHERE NOT coalesce(held, false)
      ORDER BY id
      LIMIT greatest(0, ${works}::int - (SELECT count(*) FROM open WHERE held)::int)
    )
    UPDATE work SET enqueued_at = now() FROM free WHERE work.id = free.id
    RETURNING work.id`;
  return inOrder(rows);
}

const inOrder = (rows: { id: bigint }[]) => rows.map(({ id }) => id).sort((a, b) => (a < b ? -1 : 1));
