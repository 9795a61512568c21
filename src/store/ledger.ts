import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";
import type { LedgerReader } from "./groups.js";
import { accountParts } from "./ledger-rollups.js";
import { readHorizons } from "./rollup-horizons.js";
import { allTime, spansOf } from "./rollup-spans.js";
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
  const [row] = await prisma.$queryRaw<LedgerRow[]>`
    WITH live AS MATERIALIZED (
      SELECT DISTINCT ON (c.id) c.name, r.id AS run_id
      FROM candidates c JOIN runs r ON r.candidate_id = c.id
      WHERE c.deployment_id = ${deploymentId} AND r.kind = 'live' AND c.state = 'active'
      ORDER BY c.id, r.id DESC
    ), account AS (
      SELECT label, sum(sign * n) AS n
      FROM (${accountParts(deploymentId, spans)}) AS part, unnest(labels, counts) AS cell(label, n)
      GROUP BY label
      HAVING sum(sign * n) <> 0
    ), ended AS (
      SELECT run_id, label, sum(sign * n) AS n
      FROM (${partsOf("captured", spans, Prisma.sql`ARRAY (SELECT run_id FROM live)`, "dispositions")}) AS part,
        unnest(labels, counts) AS cell(label, n)
      GROUP BY run_id, label
      HAVING sum(sign * n) <> 0
    ), pending AS (
      SELECT w.run_id, sum(n) AS n
      FROM work w JOIN live USING (run_id)
      JOIN segments s ON s.id = w.segment_id
      CROSS JOIN LATERAL (
        -- Nearly all works are of a whole segment, and there may be very many.
        SELECT coalesce(sum(m.captures), 0) AS n FROM segment_counts m
        WHERE w.rows = s.captures AND m.segment_id = s.id
          AND m.minute >= ${from}::timestamptz AND m.minute < ${to}::timestamptz
        UNION ALL
        SELECT count(*) FROM captures c
        WHERE w.rows < s.captures AND c.day = s.day AND c.segment_id = s.id
          AND c."row" >= w.first_row AND c."row" < w.first_row + w.rows
          AND c.received_at >= ${from}::timestamptz AND c.received_at < ${to}::timestamptz
      ) AS open
      WHERE w.state IN ('pending', 'leased')
      GROUP BY w.run_id
    )
    SELECT (SELECT coalesce(jsonb_object_agg(label, n), '{}') FROM account) AS account,
           (SELECT coalesce(jsonb_agg(jsonb_build_object(
             'name', name, 'runId', run_id, 'pending', coalesce(pending.n, 0),
             'ended', (SELECT coalesce(jsonb_object_agg(label, n), '{}') FROM ended
               WHERE ended.run_id = live.run_id)) ORDER BY name), '[]')
             FROM live LEFT JOIN pending USING (run_id)) AS runs`;
  return row!;
}

type Counts = Record<string, number>;

interface RunRow {
  name: string;
  runId: number;
  pending: number;
  /** By label of the series `dispositions`. */
  ended: Counts;
}

interface LedgerRow {
  /** By label of `ledger_deltas`. */
  account: Counts;
  runs: RunRow[];
}

function ledgerOf({ account, runs }: LedgerRow): Ledger {
  const candidates: Ledger["candidates"] = {};
  for (const run of runs) {
    const terms = candidateLedger(run);
    const before = notAssigned(account, run);
    if (before > 0) terms.notReplayed.not_assigned = before;
    candidates[run.name] = terms;
  }
  return {
    ...gatewayTerms(account),
    captured: sum(byReason(account, "captured:")),
    candidates,
    balanced: imbalancesOf({ account, runs }).length === 0,
  };
}

/**
 * Every term was counted where it happened; the sums must meet. `received`: the requests of the deployment, and what
 * became of them, as the gateways counted them, with `captured` as the commits of segments did. For each live run,
 * `assigned`: the captures that were catalogued since it was opened, against those that got work for it then (and of
 * those from before, no more got it than there are); and `ended`: the captures its works stand for, against the
 * outcomes that their commits counted and the captures of works still open.
 */
function imbalancesOf({ account, runs }: LedgerRow): Imbalance[] {
  const captured = sum(byReason(account, "captured:"));
  const { received, inFlight, sampledOut, notEligible, dropped, lost, buffered } = gatewayTerms(account);
  const gone = inFlight + sampledOut + sum(notEligible) + sum(dropped) + lost + buffered;
  const sums: Imbalance[] = [
    { sum: "received", candidate: null, run: null, offBy: received - gone - captured },
    ...runs.flatMap((run): Imbalance[] => {
      const of = { candidate: run.name, run: run.runId };
      const since = captured - capturedBefore(account, run.runId);
      const assigned = account[`assigned:${run.runId}`] ?? 0;
      const worksFor = assigned + backfilled(account, run);
      return [
        { sum: "assigned", ...of, offBy: since - assigned + Math.min(0, notAssigned(account, run)) },
        { sum: "ended", ...of, offBy: worksFor - sumOfTerms(candidateLedger(run)) },
      ];
    }),
  ];
  return sums.filter(({ offBy }) => offBy !== 0);
}

function gatewayTerms(account: Counts) {
  return {
    received: account.received ?? 0,
    inFlight: account.inFlight ?? 0,
    sampledOut: account.sampledOut ?? 0,
    notEligible: byReason(account, "notEligible:"),
    dropped: byReason(account, "dropped:"),
    lost: account.lost ?? 0,
    buffered: account.buffered ?? 0,
  };
}

/** Captures that were catalogued before a live run was opened: by then, one with a lower number was the newest. */
function capturedBefore(account: Counts, runId: number): number {
  return Object.entries(byReason(account, "captured:")).reduce(
    (total, [newest, n]) => (Number(newest) < runId ? total + n : total),
    0,
  );
}

/** Captures from before a run that it was not given afterwards. */
function notAssigned(account: Counts, run: RunRow): number {
  return capturedBefore(account, run.runId) - backfilled(account, run);
}

function backfilled(account: Counts, { runId }: RunRow): number {
  return account[`backfilled:${runId}`] ?? 0;
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
      FROM (${partsOf("captured", allTime, Prisma.sql`ARRAY[p.run_id]`, "dispositions")}) AS part,
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
