-- Rollups have smaller steps from level to level (five minutes and a quarter of an hour instead of ten minutes; four hours; weeks):
-- at the edges of a range half as many rows are read. Signatures leave them: they have a table of their own.

LOCK TABLE "rollups", "ledger_rollups" IN ACCESS EXCLUSIVE MODE;

DELETE FROM "rollups" WHERE "series" = 'signatures' OR "level" = 'ten_minutes';
DELETE FROM "ledger_rollups" WHERE "level" = 'ten_minutes';

INSERT INTO "rollups" ("run_id", "axis", "level", "start", "series", "primary_version", "labels", "counts", "max")
SELECT "run_id", "axis", "level", "start", "series", "primary_version", array_agg(label), array_agg(n), max("max")
FROM (
  SELECT r."run_id", r."axis", a."level", date_bin(a."every", r."start", 'epoch') AS "start", r."series",
         r."primary_version", label, sum(n)::bigint AS n, max(r."max") AS "max"
  FROM (VALUES
    ('minute', 'five_minutes', interval '5 minutes'),
    ('minute', 'quarter_hour', interval '15 minutes'),
    ('hour', 'four_hours', interval '4 hours'),
    ('day', 'week', interval '7 days')
  ) AS a("from", "level", "every") JOIN "rollups" r ON r."level" = a."from", unnest(r."labels", r."counts") AS cell(label, n)
  GROUP BY 1, 2, 3, 4, 5, 6, label
) AS cell
GROUP BY 1, 2, 3, 4, 5, 6;

INSERT INTO "ledger_rollups" ("deployment_id", "level", "start", "labels", "counts")
SELECT "deployment_id", "level", "start", array_agg(label), array_agg(n)
FROM (
  SELECT r."deployment_id", a."level", date_bin(a."every", r."start", 'epoch') AS "start", label, sum(n)::bigint AS n
  FROM (VALUES
    ('minute', 'five_minutes', interval '5 minutes'),
    ('minute', 'quarter_hour', interval '15 minutes'),
    ('hour', 'four_hours', interval '4 hours'),
    ('day', 'week', interval '7 days')
  ) AS a("from", "level", "every") JOIN "ledger_rollups" r ON r."level" = a."from", unnest(r."labels", r."counts") AS cell(label, n)
  GROUP BY 1, 2, 3, label
) AS cell
GROUP BY 1, 2, 3;

-- A compactor of an older version, which would leave the new levels out, is refused, and its deltas stay.
ALTER TABLE "rollups" DROP CONSTRAINT "rollups_level_check";
ALTER TABLE "rollups" ADD CONSTRAINT "rollups_level_check"
  CHECK ("level" IN ('minute', 'five_minutes', 'quarter_hour', 'hour', 'four_hours', 'day', 'week', 'ever'));
ALTER TABLE "ledger_rollups" ADD CONSTRAINT "ledger_rollups_level_check"
  CHECK ("level" IN ('minute', 'five_minutes', 'quarter_hour', 'hour', 'four_hours', 'day', 'week', 'ever'));
