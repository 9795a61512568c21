-- Rollups have a level more, from the minutes that are kept: at the edges of a range fewer rows are read.
-- (Those of the ledger have it from their first row on.)

INSERT INTO "rollups" ("run_id", "axis", "level", "start", "series", "primary_version", "labels", "counts", "max")
SELECT "run_id", "axis", 'ten_minutes', "start", "series", "primary_version", array_agg(label), array_agg(n),
       max("max")
FROM (
  SELECT r."run_id", r."axis", date_bin('10 minutes', r."start", 'epoch') AS "start", r."series", r."primary_version",
         label, sum(n)::bigint AS n, max(r."max") AS "max"
  FROM "rollups" r, unnest(r."labels", r."counts") AS cell(label, n)
  WHERE r."level" = 'minute'
  GROUP BY 1, 2, 3, 4, 5, label
) AS cell
GROUP BY 1, 2, 4, 5, 6;
