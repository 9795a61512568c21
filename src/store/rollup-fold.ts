import { Prisma } from "./generated/client.js";
import { rowsHolding } from "./rollup-levels.js";

/** Deltas folded by one statement. */
export const foldMax = 2000;

/** What alerts look at, by the time of judging. All else is only asked for by the time of capture. */
const judgedSeries = ["dispositions", "results", "decisions"];

/** Signatures have a table of their own: there may be many, and no range is asked for them. */
export const isRolledUp = Prisma.sql`series <> 'signatures'`;

/** In DO UPDATE: the counts of the row that is there and of the one that came, added up by label. */
export const bothCounts = Prisma.sql`(
      SELECT array_agg(label), array_agg(n)
      FROM (
        SELECT label, sum(n)::bigint AS n
        FROM (
          SELECT * FROM unnest(old.labels, old.counts) AS a(label, n)
          UNION ALL
          SELECT * FROM unnest(excluded.labels, excluded.counts) AS b(label, n)
        ) AS both_sides
        GROUP BY label
      ) AS summed
    )`;

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
    RETURNING run_id, captured_minute, judged_minute, primary_version, series, labels, counts, max
  ), minute AS MATERIALIZED (
    SELECT run_id, captured_minute, judged_minute, primary_version, series, label, sum(n) AS n, max(max) AS max
    FROM taken, unnest(labels, counts) AS cell(label, n)
    GROUP BY 1, 2, 3, 4, 5, 6
  ), cell AS (
    SELECT run_id, axis, level, start, series, primary_version, label, sum(n)::bigint AS n, max(max) AS max
    FROM minute, LATERAL (VALUES
      ${Prisma.join(rowsHolding("captured_minute").map((row) => Prisma.sql`('captured', ${row})`))},
      ('captured', 'ever', 'epoch'),
      ${Prisma.join(rowsHolding("judged_minute").map((row) => Prisma.sql`('judged', ${row})`))}
    ) AS row(axis, level, start)
    WHERE ${isRolledUp} AND (axis = 'captured' OR series = ANY (${judgedSeries}))
    GROUP BY 1, 2, 3, 4, 5, 6, 7
  ), folded AS (
    INSERT INTO rollups AS old (run_id, axis, level, start, series, primary_version, labels, counts, max)
    SELECT run_id, axis, level, start, series, primary_version, array_agg(label), array_agg(n), max(max)
    FROM cell
    GROUP BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (run_id, axis, level, start, series, primary_version) DO UPDATE
    SET max = greatest(old.max, excluded.max), (labels, counts) = ${bothCounts}
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
