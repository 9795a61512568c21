import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";

/**
 * Works that the queue holds at most: of one run, so that none fills it, and of all together. A job takes about one
 * kilobyte of Redis; the rest waits in Postgres, where a backlog costs a row each.
 */
export const queuedWorksMax = { run: 500, all: 10_000 } as const;

const isQueued = Prisma.sql`q.enqueued_at IS NOT NULL AND q.state IN ('pending', 'leased')`;

/** How many works of a run the queue may still take; `run` is an expression. */
export function roomOfRun(run: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`(${queuedWorksMax.run} - (
    SELECT count(*) FROM (
      SELECT 1 FROM work q WHERE q.run_id = ${run} AND ${isQueued} LIMIT ${queuedWorksMax.run}
    ) AS queued))`;
}

/** How many works the queue may still take of all. */
export const roomOfAll = Prisma.sql`(${queuedWorksMax.all} - (
    SELECT count(*) FROM (SELECT 1 FROM work q WHERE ${isQueued} LIMIT ${queuedWorksMax.all}) AS queued))`;

/**
 * Works to queue, in one statement: those that are queued and may be lost, and then those that wait in Postgres, as
 * far as there is room, the runs in turn. As `WorkStore.dueForQueue`.
 */
export async function dueForQueue(
  prisma: PrismaClient,
  { limit, olderThanMs, kind }: { limit: number; olderThanMs: number; kind: "live" | "rejudge" },
): Promise<bigint[]> {
  const rows = await prisma.$queryRaw<{ id: bigint }[]>`
    WITH lost AS (
      SELECT q.id, q.enqueued_at FROM work q JOIN runs r ON r.id = q.run_id
      WHERE ${isQueued} AND r.kind = ${kind}
        AND (q.state = 'pending' OR q.lease_until < now())
        AND (q.enqueued_at < now() - ${olderThanMs}::float8 * interval '1 millisecond'
             OR (q.state = 'leased' AND q.enqueued_at < q.lease_until))
      ORDER BY q.enqueued_at, q.id
      LIMIT ${limit}
    ), waiting AS (
      SELECT w.id, w.enqueued_at
      FROM (
        SELECT r.id, ${roomOfRun(Prisma.sql`r.id`)} AS room FROM runs r
        WHERE r.kind = ${kind} AND EXISTS (
          SELECT 1 FROM work u WHERE u.run_id = r.id AND u.state = 'pending' AND u.enqueued_at IS NULL
        )
      ) AS run, LATERAL (
        SELECT u.id, u.enqueued_at, row_number() OVER (ORDER BY u.id) AS turn FROM work u
        WHERE u.run_id = run.id AND u.state = 'pending' AND u.enqueued_at IS NULL
        ORDER BY u.id
        LIMIT greatest(run.room, 0)
      ) AS w
      ORDER BY w.turn, w.id
      LIMIT greatest(least(${roomOfAll}, ${limit} - (SELECT count(*) FROM lost)), 0)
    ), due AS (
      -- Locked as they were seen: what another caller has taken since is left out.
      SELECT w.id FROM work w JOIN (TABLE lost UNION ALL TABLE waiting) AS seen ON seen.id = w.id
      WHERE w.enqueued_at IS NOT DISTINCT FROM seen.enqueued_at
      FOR UPDATE OF w SKIP LOCKED
    )
    UPDATE work SET enqueued_at = now() FROM due WHERE work.id = due.id
    RETURNING work.id`;
  return rows.map((row) => row.id).sort((a, b) => (a < b ? -1 : 1));
}
