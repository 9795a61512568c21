import { setTimeout as sleep } from "node:timers/promises";
import { segmentCaptures } from "../../src/capture/spool.js";
import { sketchGamma } from "../../src/stats/sketch.js";
import type { ComparisonSort } from "../../src/store/comparisons.js";
import { partitionName } from "../../src/store/partitions.js";
import type { BenchDatabase } from "../store/database.js";

/** Days of traffic, the last of them yesterday; five hours each. */
export const days = 10;
const hoursPerDay = 5;
/** Of the matches, the share whose outputs are kept. */
const keptMatches = 0.1;

export interface Filled {
  readonly comparisons: number;
  /** When its traffic ends, Unix milliseconds. */
  readonly lastMs: number;
  /** By each sort, the row in the middle. */
  readonly middle: Record<ComparisonSort, { value: number; captureId: string }>;
}

type Query = BenchDatabase["query"];

/**
 * Fills a database with so many comparisons of one run, as the product would have left them: outcomes, outputs of
 * divergences and of a share of the matches, captures, segments with their works, the gateway's account; and deltas of
 * all that was counted, for the compactor. Made by the server from the number of each row alone, so that every run has
 * the same; the tables are indexed once they are full.
 */
export async function fill(database: BenchDatabase, comparisons: number): Promise<Filled> {
  const { query, deploymentId, runId } = database;
  const dayMs = 86_400_000;
  const today = Math.floor(Date.now() / dayMs) * dayMs;
  const perDay = Math.ceil(comparisons / days);
  const everyMs = (hoursPerDay * 3_600_000) / perDay;
  const dayList = Array.from({ length: days }, (_, d) => {
    const startMs = today - (days - d) * dayMs + 8 * 3_600_000;
    const first = d * perDay;
    return {
      day: new Date(startMs).toISOString().slice(0, 10),
      startMs,
      first,
      last: Math.min(comparisons, first + perDay) - 1,
    };
  });
  // Two at a time, so many processors a machine is expected to have; what they count is folded meanwhile.
  const todo = [...dayList];
  const worker = async () => {
    for (let next = todo.shift(); next; next = todo.shift()) {
      await query(outcomeRows({ runId, everyMs, ...next }));
      await derive(query, next.day, deploymentId);
      for (const table of filledTables) await attach(query, table, next.day);
    }
  };
  const filled = Promise.all([worker(), worker()]);
  await foldWhile(filled, database.store);
  await query(catalogue(deploymentId, runId));
  await database.store.rollups.compact();
  for (const table of filledTables) await query(`ANALYZE ${table}`);
  // As the server does by itself, where nobody has told it not to: what was folded leaves no trace.
  for (const table of ["segments", "work", "rollup_deltas", "rollups", "ledger_deltas", "ledger_rollups"]) {
    await query(`VACUUM ANALYZE ${table}`);
  }
  return {
    comparisons,
    middle: await middleOf(query, comparisons),
    lastMs: today - dayMs + (8 + hoursPerDay) * 3_600_000,
  };
}

const filledTables = ["outcomes", "output_diffs", "captures"] as const;

/** Folds what is counted while the tables are filled. */
async function foldWhile(filled: Promise<unknown>, { rollups }: BenchDatabase["store"]): Promise<void> {
  let busy = true;
  const ended = filled.finally(() => {
    busy = false;
  });
  const fold = async () => {
    while (busy) {
      await rollups.compact();
      await sleep(100);
    }
  };
  await Promise.all([ended, fold()]);
}

/** Near enough: of many rows, ten thousand are looked at. */
async function middleOf(query: Query, comparisons: number): Promise<Filled["middle"]> {
  const middle = async (column: string) => {
    const [row] = await query<{ value: number; captureId: string }>(
      `WITH looked_at AS (
         SELECT ${column} AS value, capture_id FROM outcomes
         WHERE hashtext(capture_id::text) % ${Math.max(1, Math.floor(comparisons / 10_000))} = 0 AND ${column} IS NOT NULL
       )
       SELECT value, capture_id::text AS "captureId" FROM looked_at ORDER BY value OFFSET (SELECT count(*) / 2 FROM looked_at) LIMIT 1`,
    );
    return { value: Number(row!.value), captureId: row!.captureId };
  };
  return {
    capturedAt: await middle("captured_at"),
    maxAbs: await middle("max_abs"),
    candidateMs: await middle("candidate_ms"),
  };
}

/**
 * Makes a table for one day that is not a partition yet, and has no index, from a SELECT of its columns. In one
 * transaction: so the rows need no write-ahead log.
 */
function newPartition(table: string, day: string, columns: string, select: string): string {
  const name = partitionName(table, day);
  return `
    DROP TABLE IF EXISTS ${name};
    CREATE TABLE ${name} (LIKE ${table} INCLUDING DEFAULTS);
    INSERT INTO ${name} (${columns}) ${select}`;
}

async function attach(query: Query, table: string, day: string): Promise<void> {
  await query(
    `ALTER TABLE ${table} ATTACH PARTITION ${partitionName(table, day)} FOR VALUES FROM ('${day}') TO (date '${day}' + 1)`,
  );
}

/** A number in [0, 1) for each row that looks drawn; `salt` tells draws apart. */
const draw = (salt: number) => `((hashint8(i * 16 + ${salt})::bigint + 2147483648) / 4294967296.0::float8)`;

function outcomeRows(of: {
  runId: number;
  day: string;
  startMs: number;
  first: number;
  last: number;
  everyMs: number;
}): string {
  return newPartition(
    "outcomes",
    of.day,
    `day, run_id, capture_id, work_id, captured_at, judged_at, sample, disposition, reason, result, kind, signature, flip,
     primary_version, primary_ms, candidate_ms, attempts, max_abs, max_rel`,
    `
    SELECT '${of.day}', ${of.runId},
      (lpad(to_hex(ms), 12, '0') || '7000' || lpad(to_hex(i), 16, '8000000000000000'))::uuid,
      i / ${segmentCaptures} + 1, at, at, CASE WHEN lot < 0.99 THEN 'base' ELSE 'targeted' END,
      CASE result WHEN 'incomparable' THEN 'candidate_error' ELSE 'compared' END,
      CASE result WHEN 'incomparable' THEN 'timeout' END, result,
      CASE result WHEN 'mismatch' THEN CASE WHEN what < 0.98 THEN 'value' WHEN what < 0.999 THEN 'shape' ELSE 'non_finite' END
                  WHEN 'incomparable' THEN 'timeout' END,
      CASE result WHEN 'mismatch' THEN 'group-' || floor(40 * what * what * what) END,
      CASE result WHEN 'incomparable' THEN NULL ELSE result = 'mismatch' AND what < 0.3 END, '1',
      exp(1.2 + 0.9 * (spread + slow - 1)), CASE WHEN result <> 'incomparable' THEN exp(1 + 0.9 * (slow + what - 1)) END,
      1, error, error / 3
    FROM (
      SELECT i, ms, to_timestamp(ms / 1000.0) AS at, lot, what, spread, slow, result,
        CASE result WHEN 'incomparable' THEN NULL WHEN 'mismatch' THEN 0.01 * exp(4 * spread) ELSE 1e-5 * exp(6 * spread) END AS error
      FROM (
        SELECT i, ${of.startMs} + floor((i - ${of.first}) * ${of.everyMs}::float8)::bigint AS ms, ${draw(1)} AS lot,
          ${draw(2)} AS what, ${draw(3)} AS spread, ${draw(4)} AS slow,
          CASE WHEN ${draw(5)} < 0.05 THEN 'mismatch' WHEN ${draw(5)} < 0.051 THEN 'ignored'
               WHEN ${draw(5)} < 0.053 THEN 'incomparable' ELSE 'match' END AS result
        FROM generate_series(${of.first}::bigint, ${of.last}::bigint) AS i
      ) AS drawn
    ) AS row`,
  );
}

/** What hangs on the outcomes of one day. */
async function derive(query: Query, day: string, deploymentId: number): Promise<void> {
  const outcomes = partitionName("outcomes", day);
  await query(
    newPartition(
      "captures",
      day,
      `day, id, deployment_id, segment_id, row, received_at, transport, primary_version, status, primary_ms, request_bytes,
       response_bytes, sample, tags, redacted`,
      `
    SELECT day, capture_id, ${deploymentId}, ${segmentId("work_id")}, 0, captured_at, 'http-json', '1', 200, primary_ms,
      400, 250, sample,
      jsonb_build_object('client', 'c' || (uuid_hash(capture_id) & 15), 'x-request-id', right(capture_id::text, 12)), '{}'
    FROM ${outcomes}`,
    ),
  );
  // A wrong shape is that of `boxes`, all else is of `logits`.
  await query(
    newPartition(
      "output_diffs",
      day,
      `day, run_id, capture_id, output, result, kind, datatype, shape, elements, mismatches, max_abs, max_rel, flip,
       captured_at, comparison_max_abs, comparison_ms`,
      `
    SELECT day, run_id, capture_id, output, CASE WHEN differs THEN result ELSE 'match' END, CASE WHEN differs THEN kind END,
      'FP32', '{1,10}', 10, CASE WHEN differs THEN 1 ELSE 0 END, max_abs, max_rel, flip,
      CASE WHEN differs THEN captured_at END, CASE WHEN differs THEN max_abs END, CASE WHEN differs THEN candidate_ms END
    FROM ${outcomes} o, LATERAL (
      SELECT output, result = 'mismatch' AND (output = 'boxes') = (kind = 'shape') AS differs
      FROM unnest(ARRAY['logits', 'boxes']) AS output
    ) AS d
    WHERE disposition = 'compared'
      AND (result <> 'match' OR (hashint8(work_id) + extract(milliseconds FROM captured_at)::int) % 100 < ${100 * keptMatches})`,
    ),
  );
  await query(counterDeltas(outcomes));
  for (const [series, value] of [
    ["latency/primary", "primary_ms"],
    ["latency/candidate", "candidate_ms"],
    ["abs/logits", "max_abs"],
  ] as const) {
    await query(sketchDeltas(outcomes, series, value));
  }
}

const segmentId = (workId: string) => `lpad(to_hex(${workId}), 32, '0')::uuid`;

const deltaColumns =
  "run_id, captured_minute, judged_minute, primary_version, series, labels, buckets, counts, max_value";

/** What `factsOf` counts, with a maximum of its own for each series. */
function counterDeltas(outcomes: string): string {
  return `
    INSERT INTO rollup_deltas (${deltaColumns})
    SELECT run_id, minute, judged, '1', series, array_agg(label), NULL::int[], array_agg(n), max(max)
    FROM (
      SELECT run_id, minute, judged, series, label, sum(n)::bigint AS n, max(max) AS max
      FROM (
        SELECT run_id, date_trunc('minute', captured_at) AS minute, date_trunc('minute', judged_at) AS judged, sample,
          disposition, reason, result, kind, flip, signature, count(*) AS n, max(max_rel) AS rel
        FROM ${outcomes} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
      ) AS g, LATERAL (VALUES
        ('dispositions', disposition || coalesce(':' || reason, ''), NULL::float8),
        ('results', CASE WHEN sample = 'base' THEN coalesce(nullif(disposition, 'compared'), result) END, NULL),
        ('decisions', CASE WHEN sample = 'base' AND disposition = 'compared' THEN CASE WHEN flip THEN 'flip' ELSE 'same' END END, NULL),
        ('signatures', CASE WHEN sample = 'base' THEN signature END, NULL),
        ('output/logits', CASE WHEN sample = 'base' AND disposition = 'compared' THEN CASE WHEN kind = 'shape' THEN 'match' ELSE result END END, NULL),
        ('output/logits', CASE WHEN sample = 'base' AND disposition = 'compared' AND kind <> 'shape' THEN 'kind:' || kind END, NULL),
        ('output/boxes', CASE WHEN sample = 'base' AND disposition = 'compared' THEN CASE WHEN kind = 'shape' THEN 'mismatch' ELSE 'match' END END, NULL),
        ('output/boxes', CASE WHEN sample = 'base' AND kind = 'shape' THEN 'kind:shape' END, NULL),
        ('rel/logits', CASE WHEN sample = 'base' AND disposition = 'compared' THEN 'n' END, rel)
      ) AS fact(series, label, max)
      WHERE label IS NOT NULL
      GROUP BY 1, 2, 3, 4, 5
    ) AS cell
    GROUP BY 1, 2, 3, 5`;
}

function sketchDeltas(outcomes: string, series: string, value: string): string {
  return `
    INSERT INTO rollup_deltas (${deltaColumns})
    SELECT run_id, minute, judged, '1', '${series}', NULL::text[], array_agg(bucket::int), array_agg(n), max(max)
    FROM (
      SELECT run_id, date_trunc('minute', captured_at) AS minute, date_trunc('minute', judged_at) AS judged,
        ceil(ln(${value}) / ${Math.log(sketchGamma)}) AS bucket, count(*) AS n, max(${value}) AS max
      FROM ${outcomes} WHERE sample = 'base' AND disposition = 'compared'
      GROUP BY 1, 2, 3, 4
    ) AS cell
    GROUP BY 1, 2, 3`;
}

/** Segments, their works, all done, and the gateway's account, in which half of the requests were sampled out. */
function catalogue(deploymentId: number, runId: number): string {
  const epoch = "00000000-0000-7000-8000-000000000001";
  return `
    CREATE TEMP TABLE counted ON COMMIT DROP AS
      SELECT work_id, day, date_trunc('minute', captured_at) AS minute, count(*) AS n,
        min(captured_at) AS first_at, max(captured_at) AS last_at
      FROM outcomes GROUP BY 1, 2, 3;
    INSERT INTO segments (id, deployment_id, day, gateway_epoch, blob_key, sha256, bytes, captures, first_at, last_at)
      SELECT DISTINCT ON (work_id) ${segmentId("work_id")}, ${deploymentId}, day, '${epoch}', 'none', '', 65536,
        sum(n) OVER w, first_at, max(last_at) OVER w
      FROM counted WINDOW w AS (PARTITION BY work_id) ORDER BY work_id, minute;
    INSERT INTO segment_counts (segment_id, minute, deployment_id, captures)
      SELECT ${segmentId("work_id")}, minute, ${deploymentId}, sum(n) FROM counted GROUP BY work_id, minute;
    INSERT INTO ledger_deltas (deployment_id, minute, labels, counts)
      SELECT ${deploymentId}, minute, ARRAY['assigned:${runId}', 'captured:${runId}'], ARRAY[sum(n), sum(n)]
      FROM counted GROUP BY minute;
    INSERT INTO work (id, segment_id, run_id, first_row, rows, state, lease, done_at)
      SELECT work_id, ${segmentId("work_id")}, ${runId}, 0, sum(n), 'done', 1, max(last_at) FROM counted GROUP BY work_id;
    SELECT setval('work_id_seq', (SELECT max(id) FROM work));
    INSERT INTO gateway_epochs (epoch, gateway, started_at, sequence, cut_at)
      SELECT '${epoch}', 'bench', min(minute), 1, max(minute) FROM counted;
    INSERT INTO ledger_counts (epoch, deployment_id, minute, sequence, received, sampled_out, not_eligible, dropped)
      SELECT '${epoch}', ${deploymentId}, minute, 1, 2 * sum(n) + 3, sum(n), '{"parse": 1}', '{"buffer_full": 2}'
      FROM counted GROUP BY minute`;
}
