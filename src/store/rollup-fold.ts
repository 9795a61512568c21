import { Prisma } from "./generated/client.js";
import { rowsHolding } from "./rollup-levels.js";

/** Deltas folded by one statement. */
export const foldMax = 2000;

/** What alerts look at, by the time of judging. All else is only asked for by the time of capture. */
const judgedSeries = ["dispositions", "results", "decisions"];

/** Signatures have a table of their own: there may be many, and no range is asked for them. */
export const isRolledUp = Prisma.sql`series <> 'signatures'`;

/** In an aggregate of cells: `labels, buckets` as a row has them, in the order of `array_agg(n)`; one of them is null. */
const labelsOrBuckets = Prisma.sql`array_agg(label) FILTER (WHERE label IS NOT NULL),
           array_agg(bucket) FILTER (WHERE bucket IS NOT NULL)`;

/** Of all compactors, one at a time folds: two might deadlock. */
export const foldGuard = Prisma.sql`guard AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(hashtext('understudy'), hashtext('compact')) AS mine
  )`;

/**
 * Deltas leave in the statement that adds them to every level, so none is folded twice, none that is appended
 * meanwhile is lost, and the levels agree at every read, however late a capture of an old minute is judged. The sums
 * are made in DO UPDATE, from the row as it is once locked, not as the snapshot had it: right even if another
 * compactor has just finished.
 */
export const foldStatement = Prisma.sql`
  WITH ${foldGuard}, taken AS (
    DELETE FROM rollup_deltas
    WHERE id IN (SELECT id FROM rollup_deltas WHERE (SELECT mine FROM guard) ORDER BY id LIMIT ${foldMax})
    RETURNING run_id, captured_minute, judged_minute, primary_version, series, labels, buckets, counts, max_value
  ), minute AS MATERIALIZED (
    SELECT run_id, captured_minute, judged_minute, primary_version, series, label, bucket, sum(n) AS n,
           max(max_value) AS max_value
    FROM taken, unnest(labels, buckets, counts) AS cell(label, bucket, n)
    GROUP BY 1, 2, 3, 4, 5, 6, 7
  ), cell AS (
    SELECT run_id, axis, level, start, series, primary_version, label, bucket, sum(n)::bigint AS n,
           max(max_value) AS max_value
    FROM minute, LATERAL (VALUES
      ${Prisma.join(rowsHolding("captured_minute").map((row) => Prisma.sql`('captured', ${row})`))},
      ('captured', 'ever', 'epoch'),
      ${Prisma.join(rowsHolding("judged_minute").map((row) => Prisma.sql`('judged', ${row})`))}
    ) AS row(axis, level, start)
    WHERE ${isRolledUp} AND (axis = 'captured' OR series = ANY (${judgedSeries}))
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
  ), folded AS (
    INSERT INTO rollups AS old (run_id, axis, level, start, series, primary_version, labels, buckets, counts, max_value)
    SELECT run_id, axis, level, start, series, primary_version, ${labelsOrBuckets}, array_agg(n), max(max_value)
    FROM cell
    GROUP BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (run_id, axis, level, start, series, primary_version) DO UPDATE
    SET max_value = greatest(old.max_value, excluded.max_value), (labels, buckets, counts) = (
      SELECT ${labelsOrBuckets}, array_agg(n)
      FROM (
        SELECT label, bucket, sum(n)::bigint AS n
        FROM (
          SELECT * FROM unnest(old.labels, old.buckets, old.counts) AS a(label, bucket, n)
          UNION ALL
          SELECT * FROM unnest(excluded.labels, excluded.buckets, excluded.counts) AS b(label, bucket, n)
        ) AS both_sides
        GROUP BY label, bucket
      ) AS summed
    )
  ), seen AS (
    INSERT INTO signature_sightings AS old (run_id, hash, count, first_minute, last_minute)
    SELECT run_id, label, sum(n)::bigint, min(captured_minute), max(captured_minute)
    FROM minute WHERE series = 'signatures'
    GROUP BY 1, 2
    ON CONFLICT (run_id, hash) DO UPDATE
    SET count = old.count + excluded.count, first_minute = least(old.first_minute, excluded.first_minute),
        last_minute = greatest(old.last_minute, excluded.last_minute)
  )
  SELECT count(*)::int AS taken FROM taken`;
