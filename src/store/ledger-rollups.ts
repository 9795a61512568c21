import { Prisma } from "./generated/client.js";
import { foldGuard, foldMax } from "./rollup-fold.js";
import { rowsHolding } from "./rollup-levels.js";
import { countedSpans, type Spans, spanRows } from "./rollup-spans.js";
import { timeOrEdge } from "./sql.js";

/** The account's deltas into all levels of its rollups, as `foldStatement` does it with what was compared. */
export const foldLedgerStatement = Prisma.sql`
  WITH ${foldGuard}, taken AS (
    DELETE FROM ledger_deltas
    WHERE id IN (SELECT id FROM ledger_deltas WHERE (SELECT mine FROM guard) ORDER BY id LIMIT ${foldMax})
    RETURNING deployment_id, minute, labels, counts
  ), minute AS MATERIALIZED (
    SELECT deployment_id, minute, label, sum(n) AS n
    FROM taken, unnest(labels, counts) AS cell(label, n)
    GROUP BY 1, 2, 3
  ), cell AS (
    SELECT deployment_id, level, start, label, sum(n)::bigint AS n
    FROM minute, LATERAL (VALUES
      ${Prisma.join(rowsHolding("minute").map((row) => Prisma.sql`(${row})`))},
      ('ever', 'epoch')
    ) AS row(level, start)
    GROUP BY 1, 2, 3, 4
  ), folded AS (
    INSERT INTO ledger_rollups AS old (deployment_id, level, start, labels, counts)
    SELECT deployment_id, level, start, array_agg(label), array_agg(n) FROM cell GROUP BY 1, 2, 3
    ON CONFLICT (deployment_id, level, start) DO UPDATE SET (labels, counts) = (
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
    )
  )
  SELECT count(*)::int AS taken FROM taken`;

/**
 * The account of a deployment in a range, in parts that are still to be added up: the rollups that cover it, and the
 * deltas that are not in them yet. `sign` times `counts` is what is to be added.
 */
export function accountParts(deploymentId: number, { fromMs, toMs, spans }: Spans): Prisma.Sql {
  return Prisma.sql`
    SELECT r.labels, r.counts, span.sign
    FROM ${spanRows(countedSpans(spans))}
    JOIN ledger_rollups r ON r.deployment_id = ${deploymentId} AND r.level = span.level
      AND r.start >= span."from" AND r.start < span."to"
    UNION ALL
    SELECT labels, counts, 1 FROM ledger_deltas
    WHERE deployment_id = ${deploymentId}
      AND minute >= ${timeOrEdge(fromMs)}::timestamptz AND minute < ${timeOrEdge(toMs)}::timestamptz`;
}
