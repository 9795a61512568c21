import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";
import type { LedgerReader } from "./groups.js";
import { readHorizons } from "./rollup-horizons.js";
import { spansOf, wholeRun } from "./rollup-spans.js";
import { partsOf } from "./rollups.js";
import { timeOrEdge } from "./sql.js";
import type { CandidateLedger, Imbalance, Ledger, TimeRange } from "./types.js";
import { rowsOf } from "./work-rows.js";

type Reader = Pick<PrismaClient, "$queryRaw">;

export function createLedgerReader(prisma: Reader): LedgerReader {
  return {
    read: async (deploymentId, range) => ledgerOf(await readRow(prisma, deploymentId, range)),
    imbalances: async (deploymentId) => [
      ...imbalancesOf(await readRow(prisma, deploymentId, { fromMs: null, toMs: null })),
      ...(await replayImbalances(prisma, deploymentId)),
    ],
  };
}

async function readRow(prisma: Reader, deploymentId: number, range: TimeRange): Promise<LedgerRow> {
  const spans = spansOf(range, await readHorizons(prisma));
  const [from, to] = [timeOrEdge(spans.fromMs), timeOrEdge(spans.toMs)];
  const during = (alias: string) => {
    const t = Prisma.raw(alias);
    return Prisma.sql`${t}.deployment_id = ${deploymentId} AND ${t}.minute >= ${from}::timestamptz AND ${t}.minute < ${to}::timestamptz`;
  };
  const [row] = await prisma.$queryRaw<LedgerRow[]>`
    WITH span AS (
      SELECT ${deploymentId}::int AS deployment_id, ${from}::timestamptz AS "from", ${to}::timestamptz AS "to"
    ), account AS (
      SELECT * FROM ledger_counts l WHERE ${during("l")}
    ), reason AS (
      SELECT 'notEligible' AS term, key, value FROM account, jsonb_each_text(not_eligible)
      UNION ALL
      SELECT 'dropped', key, value FROM account, jsonb_each_text(dropped)
    ), reasons AS (
      SELECT term, key, sum(value::bigint) AS n FROM reason GROUP BY term, key
    ), catalogued AS (
      SELECT segment_id, sum(captures) AS captures FROM segment_counts c WHERE ${during("c")} GROUP BY segment_id
    ), gone AS (
      SELECT coalesce(sum(captures), 0) AS captures FROM dropped_minutes d WHERE ${during("d")}
    ), live AS (
      SELECT DISTINCT ON (c.id) c.name, r.id AS run_id, r.opened_at
      FROM candidates c JOIN runs r ON r.candidate_id = c.id JOIN span s ON s.deployment_id = c.deployment_id
      WHERE r.kind = 'live' AND c.state = 'active'
      ORDER BY c.id, r.id DESC
    ), ended AS (
      SELECT run_id, label, sum(sign * n) AS n
      FROM (${partsOf("captured", spans, Prisma.sql`ARRAY (SELECT run_id FROM live)`, "dispositions")}) AS part,
        unnest(labels, counts) AS cell(label, n)
      GROUP BY run_id, label
      HAVING sum(sign * n) <> 0
    ), pending AS (
      SELECT w.run_id, count(*) AS n
      FROM span, work w JOIN live USING (run_id)
      JOIN segments s ON s.id = w.segment_id
      JOIN captures c ON c.day = s.day AND c.segment_id = s.id
      WHERE w.state IN ('pending', 'leased') AND c."row" >= w.first_row AND c."row" < w.first_row + w.rows
        AND c.received_at >= span."from" AND c.received_at < span."to"
      GROUP BY w.run_id
    ), share AS (
      SELECT run_id,
             sum(c.captures) FILTER (WHERE assigned) AS assigned,
             sum(c.captures) FILTER (WHERE NOT assigned AND s.created_at < live.opened_at) AS not_assigned
      FROM live, catalogued c JOIN segments s ON s.id = c.segment_id,
           -- Looked up once: without OFFSET 0, once for each of the sums.
           LATERAL (SELECT EXISTS (
             SELECT 1 FROM work w WHERE w.segment_id = s.id AND w.run_id = live.run_id
           ) AS assigned OFFSET 0) AS a
      GROUP BY run_id
    ), gone_share AS (
      SELECT d.run_id, sum(d.assigned) AS assigned FROM dropped_run_minutes d JOIN live USING (run_id), span s
      WHERE d.minute >= s."from" AND d.minute < s."to"
      GROUP BY d.run_id
    )
    SELECT (SELECT jsonb_build_object(
             'received', coalesce(sum(received), 0), 'inFlight', coalesce(sum(in_flight), 0),
             'sampledOut', coalesce(sum(sampled_out), 0), 'lost', coalesce(sum(lost), 0),
             'buffered', coalesce(sum(buffered), 0)) FROM account) AS gateway,
           (SELECT coalesce(jsonb_object_agg(key, n), '{}') FROM reasons
             WHERE term = 'notEligible') AS "notEligible",
           (SELECT coalesce(jsonb_object_agg(key, n), '{}') FROM reasons WHERE term = 'dropped') AS dropped,
           (SELECT coalesce(sum(captures), 0) FROM catalogued)::float8 + (SELECT captures FROM gone)::float8 AS captured,
           (SELECT coalesce(jsonb_agg(jsonb_build_object(
             'name', name, 'runId', live.run_id, 'assigned', coalesce(share.assigned, 0) + coalesce(gone_share.assigned, 0),
             'notAssigned', coalesce(not_assigned, 0) + gone.captures - coalesce(gone_share.assigned, 0),
             'pending', coalesce(pending.n, 0),
             'ended', (SELECT coalesce(jsonb_object_agg(label, n), '{}') FROM ended
               WHERE ended.run_id = live.run_id)) ORDER BY name), '[]')
             FROM live LEFT JOIN share USING (run_id) LEFT JOIN pending USING (run_id)
             LEFT JOIN gone_share USING (run_id), gone) AS runs`;
  return row!;
}

type Counts = Record<string, number>;

interface RunRow {
  name: string;
  runId: number;
  /** Captures in segments that have work for the run, or had it before their day was dropped. */
  assigned: number;
  /** Captures in segments without, catalogued before the run was opened. */
  notAssigned: number;
  pending: number;
  /** By label of the series `dispositions`. */
  ended: Counts;
}

interface LedgerRow {
  gateway: Pick<Ledger, "received" | "inFlight" | "sampledOut" | "lost" | "buffered">;
  notEligible: Counts;
  dropped: Counts;
  captured: number;
  runs: RunRow[];
}

function ledgerOf(row: LedgerRow): Ledger {
  const candidates: Ledger["candidates"] = {};
  for (const run of row.runs) {
    const terms = candidateLedger(run);
    candidates[run.name] = terms;
    if (run.notAssigned > 0) terms.notReplayed.not_assigned = run.notAssigned;
  }
  const { notEligible, dropped, captured } = row;
  return {
    ...row.gateway,
    notEligible,
    dropped,
    captured,
    candidates,
    balanced: imbalancesOf(row).length === 0,
  };
}

/**
 * Every term was counted where it happened; the sums must meet. `received`: the requests of the deployment, and what
 * became of them, as the gateways counted them, with `captured` from the catalogue. For each live run, `assigned`: the
 * captures of works and those never assigned make up the deployment's; and `ended`: the captures its works stand for,
 * against the outcomes that the commits counted and the captures of works still open.
 */
function imbalancesOf({ gateway, notEligible, dropped, captured, runs }: LedgerRow): Imbalance[] {
  const { received, inFlight, sampledOut, lost, buffered } = gateway;
  const gone = inFlight + sampledOut + sum(notEligible) + sum(dropped) + lost + buffered;
  const sums: Imbalance[] = [
    { sum: "received", candidate: null, run: null, offBy: received - gone - captured },
    ...runs.flatMap(({ name, runId, ...run }): Imbalance[] => {
      const of = { candidate: name, run: runId };
      return [
        { sum: "assigned", ...of, offBy: captured - run.assigned - run.notAssigned },
        { sum: "ended", ...of, offBy: run.assigned - sumOfTerms(candidateLedger(run)) },
      ];
    }),
  ];
  return sums.filter(({ offBy }) => offBy !== 0);
}

/** Replays with works of days that were dropped are left out: a cancelled work leaves no count. */
function replayImbalances(prisma: Reader, deploymentId: number): Promise<Imbalance[]> {
  return prisma.$queryRaw<Imbalance[]>`
    SELECT 'ended' AS sum, c.name AS candidate, p.run_id AS run,
           (p.captures - ended.n - works.n)::float8 AS "offBy"
    FROM replays p
    JOIN runs r ON r.id = p.run_id
    JOIN candidates c ON c.id = r.candidate_id
    CROSS JOIN LATERAL (
      SELECT coalesce(sum(n), 0) AS n
      FROM (${partsOf("captured", wholeRun, Prisma.sql`ARRAY[p.run_id]`, "dispositions")}) AS part,
        unnest(labels, counts) AS cell(label, n)
    ) AS ended
    CROSS JOIN LATERAL (
      SELECT coalesce(sum(${rowsOf}), 0) AS n
      FROM work w WHERE w.run_id = p.run_id AND w.state IN ('pending', 'leased', 'cancelled')
    ) AS works
    WHERE p.deployment_id = ${deploymentId}
      AND (p.ended_at IS NULL OR p.ended_at > now() - interval '7 days')
      AND NOT EXISTS (SELECT FROM dropped_run_minutes d WHERE d.run_id = p.run_id)
      AND p.captures <> ended.n + works.n
    ORDER BY p.run_id`;
}

function candidateLedger({ ended, pending }: Pick<RunRow, "ended" | "pending">): CandidateLedger {
  return {
    compared: ended.compared ?? 0,
    candidateError: byReason(ended, "candidate_error:"),
    notReplayed: byReason(ended, "not_replayed:"),
    expired: ended.expired ?? 0,
    dead: ended.dead ?? 0,
    erased: ended.erased ?? 0,
    pending,
  };
}

function sumOfTerms({
  compared,
  candidateError,
  notReplayed,
  expired,
  dead,
  erased,
  pending,
}: CandidateLedger) {
  return compared + sum(candidateError) + sum(notReplayed) + expired + dead + erased + pending;
}

function byReason(counts: Counts, prefix: string): Counts {
  return Object.fromEntries(
    Object.entries(counts)
      .filter(([label]) => label.startsWith(prefix))
      .map(([label, n]) => [label.slice(prefix.length), n]),
  );
}

function sum(counts: Counts): number {
  return Object.values(counts).reduce((total, n) => total + n, 0);
}
