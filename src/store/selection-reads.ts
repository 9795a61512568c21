import type { PrismaClient } from "./client.js";
import type { FrozenSet } from "./gate-sets.js";
import { Prisma } from "./generated/client.js";
import { rowsOf } from "./work-rows.js";

type Reader = Pick<PrismaClient, "$queryRaw">;

/** How far a replay has read a sealed selection, in the order of its seal. */
export interface SelectionReads {
  /**
   * How many members are finished from the first on, without a gap: each has an outcome, or was erased.
   * @param from how many are known to be
   */
  watermark(options: { runId: number; selectionId: number; from: number }): Promise<number>;
  /** The first `read` members, as what is judged, and how many of them a rule captured. */
  readSet(options: {
    runId: number;
    selectionId: number;
    read: number;
  }): Promise<{ set: FrozenSet; targeted: number }>;
  /** The account of what a replay planned, at one moment. */
  account(runId: number): Promise<ReplayAccount>;
  /** How late a paced replay sent the requests of a set; null: nothing was sent. */
  lateness(set: FrozenSet): Promise<{ p99Ms: number | null; neverSent: number }>;
}

export interface ReplayAccount {
  planned: number;
  finished: number;
  pending: number;
  cancelled: number;
}

export function createSelectionReads(prisma: PrismaClient): SelectionReads {
  return {
    async watermark({ runId, selectionId, from }) {
      const [open] = await prisma.$queryRaw<{ position: number }[]>`
        SELECT m.position FROM selection_members m
        WHERE m.selection_id = ${selectionId} AND m.position >= ${from}
          AND NOT EXISTS (${outcomeOf(runId)}) AND EXISTS (${capture})
        ORDER BY m.position LIMIT 1`;
      if (open) return open.position;
      const { members } = await prisma.selection.findUniqueOrThrow({ where: { id: selectionId } });
      return members;
    },

    async readSet({ runId, selectionId, read }) {
      const [row] = await prisma.$queryRaw<ReadRow[]>`
        SELECT now() AS now, min(c.received_at) FILTER (WHERE m.position < ${read}) AS first,
          max(c.received_at) FILTER (WHERE m.position < ${read}) AS last,
          (count(c.id) FILTER (WHERE m.position >= ${read}))::float8 AS left,
          (count(*) FILTER (WHERE m.position < ${read} AND c.sample = 'targeted'))::float8 AS targeted
        FROM selection_members m
        LEFT JOIN captures c ON c.day = m.day AND c.id = m.capture_id AND c.erasure_id IS NULL
        WHERE m.selection_id = ${selectionId}`;
      const { now, first, last, left, targeted } = row!;
      const frozenAtMs = now.getTime();
      const set: FrozenSet = {
        runId,
        selection: { id: selectionId, read },
        frozenAtMs,
        fromMs: first?.getTime() ?? frozenAtMs,
        firstMs: first?.getTime() ?? null,
        watermarkMs: (last?.getTime() ?? frozenAtMs) + 1,
        workIds: [],
        captured: read,
        pending: left,
        waiting: 0,
      };
      return { set, targeted };
    },

    async account(runId) {
      const [row] = await prisma.$queryRaw<ReplayAccount[]>`
        SELECT p.captures::float8 AS planned,
          (SELECT count(*) FROM outcomes o WHERE o.run_id = p.run_id)::float8 AS finished,
          coalesce(sum(${rowsOf}) FILTER (WHERE w.state IN ('pending', 'leased')), 0)::float8 AS pending,
          coalesce(sum(${rowsOf}) FILTER (WHERE w.state = 'cancelled'), 0)::float8 AS cancelled
        FROM replays p LEFT JOIN work w ON w.run_id = p.run_id
        WHERE p.run_id = ${runId} GROUP BY p.run_id`;
      return row!;
    },

    async lateness({ runId, selection }) {
      const [row] = await prisma.$queryRaw<{ p99Ms: number | null; neverSent: number }[]>`
        SELECT percentile_disc(0.99) WITHIN GROUP (ORDER BY o.late_ms) AS "p99Ms",
          (count(*) FILTER (WHERE o.reason = 'never_sent'))::float8 AS "neverSent"
        FROM outcomes o JOIN selection_members m ON m.capture_id = o.capture_id
        WHERE o.run_id = ${runId} AND m.selection_id = ${selection?.id ?? null}::int
          AND m.position < ${selection?.read ?? null}::int`;
      return row!;
    },
  };
}

interface ReadRow {
  now: Date;
  first: Date | null;
  last: Date | null;
  left: number;
  targeted: number;
}

/** Members that were erased before they were sent: they have neither a capture that is kept nor an outcome. */
export async function erasedUnsent(
  prisma: Reader,
  runId: number,
  { id, read }: { id: number; read: number },
): Promise<number> {
  const [row] = await prisma.$queryRaw<{ n: number }[]>`
    SELECT count(*)::float8 AS n FROM selection_members m
    WHERE m.selection_id = ${id} AND m.position < ${read}
      AND NOT EXISTS (${capture}) AND NOT EXISTS (${outcomeOf(runId)})`;
  return row!.n;
}

const outcomeOf = (runId: number) => Prisma.sql`
  SELECT FROM outcomes o WHERE o.day = m.day AND o.run_id = ${runId} AND o.capture_id = m.capture_id`;

const capture = Prisma.sql`
  SELECT FROM captures c WHERE c.day = m.day AND c.id = m.capture_id AND c.erasure_id IS NULL`;
