-- The account of a deployment in rollups by minute, hour, day and all time, as comparisons have theirs.

-- What is counted below must not change meanwhile. In the mode, and in the order, in which they are needed: no process that is
-- just committing may hold one and wait for another.
LOCK TABLE "rollups", "segments" IN ACCESS EXCLUSIVE MODE;

-- CreateTable
CREATE TABLE "ledger_deltas" (
    "id" BIGSERIAL NOT NULL,
    "deployment_id" INTEGER NOT NULL,
    "minute" TIMESTAMPTZ(0) NOT NULL,
    "labels" TEXT[],
    "counts" BIGINT[],

    CONSTRAINT "ledger_deltas_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ledger_rollups" (
    "deployment_id" INTEGER NOT NULL,
    "level" TEXT NOT NULL,
    "start" TIMESTAMPTZ(0) NOT NULL,
    "labels" TEXT[],
    "counts" BIGINT[],

    CONSTRAINT "ledger_rollups_pkey" PRIMARY KEY ("deployment_id","level","start")
);

-- CreateIndex
CREATE INDEX "ledger_deltas_deployment_id_minute_idx" ON "ledger_deltas"("deployment_id", "minute");

-- The level of all time has one name in both. (A compactor of an older version is refused, and leaves its deltas.)
UPDATE "rollups" SET "level" = 'ever' WHERE "level" = 'run';
ALTER TABLE "rollups" ADD CONSTRAINT "rollups_level_check" CHECK ("level" <> 'run');

-- What a gateway counted of one minute, as labels of the account. Of no row: nothing. (Not IMMUTABLE: Postgres 18 fails to
-- plan it where it would be inlined.)
CREATE FUNCTION ledger_terms(c ledger_counts) RETURNS TABLE (label TEXT, n BIGINT) LANGUAGE sql AS $$
  SELECT * FROM (VALUES
    ('received', c.received), ('inFlight', c.in_flight), ('sampledOut', c.sampled_out),
    ('buffered', c.buffered), ('lost', c.lost)
  ) AS term(label, n)
  UNION ALL
  SELECT 'notEligible:' || key, value::bigint FROM jsonb_each_text(c.not_eligible)
  UNION ALL
  SELECT 'dropped:' || key, value::bigint FROM jsonb_each_text(c.dropped)
$$;

-- A gateway ships how much it has by now. Only the row knows, once it is locked, by how much that is more than before:
-- a statement's snapshot may be older than the row that it updates.
CREATE FUNCTION ledger_counts_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO ledger_deltas (deployment_id, minute, labels, counts)
  SELECT NEW.deployment_id, NEW.minute, array_agg(label), array_agg(n)
  FROM (
    SELECT label, sum(n)::bigint AS n
    FROM (
      SELECT label, n FROM ledger_terms(NEW)
      UNION ALL
      SELECT label, -n FROM ledger_terms(OLD)
    ) AS terms
    GROUP BY label
    HAVING sum(n) <> 0
  ) AS changed
  HAVING count(*) > 0;
  RETURN NULL;
END
$$;

CREATE TRIGGER ledger_counts_changed AFTER INSERT OR UPDATE ON "ledger_counts"
FOR EACH ROW EXECUTE FUNCTION ledger_counts_changed();

-- What there is already, for the compactor to fold: requests, captures by the newest live run when they were catalogued,
-- and captures that retention dropped as from before all runs.
INSERT INTO "ledger_deltas" ("deployment_id", "minute", "labels", "counts")
SELECT c."deployment_id", c."minute", array_agg(t.label), array_agg(t.n)
FROM "ledger_counts" c, ledger_terms(c) t
WHERE t.n <> 0
GROUP BY c."epoch", c."deployment_id", c."minute";

INSERT INTO "ledger_deltas" ("deployment_id", "minute", "labels", "counts")
SELECT c."deployment_id", c."minute", ARRAY['captured:' || s.newest_run], ARRAY[sum(c."captures")]
FROM "segment_counts" c JOIN (
  SELECT id, coalesce((
    SELECT max(r."id") FROM "runs" r
    WHERE r."deployment_id" = segments."deployment_id" AND r."kind" = 'live' AND r."opened_at" <= segments."created_at"
  ), 0) AS newest_run
  FROM "segments"
) AS s ON s.id = c."segment_id"
GROUP BY c."deployment_id", c."minute", s.newest_run;

INSERT INTO "ledger_deltas" ("deployment_id", "minute", "labels", "counts")
SELECT "deployment_id", "minute", ARRAY['captured:0'], ARRAY["captures"] FROM "dropped_minutes";

-- Captures in segments that a live run has work for: of those catalogued since it was opened, and of those before.
INSERT INTO "ledger_deltas" ("deployment_id", "minute", "labels", "counts")
SELECT c."deployment_id", c."minute", ARRAY[w.label], ARRAY[sum(c."captures")]
FROM (
  SELECT DISTINCT w."segment_id",
         CASE WHEN s."created_at" >= r."opened_at" THEN 'assigned:' ELSE 'backfilled:' END || r."id" AS label
  FROM "work" w JOIN "segments" s ON s."id" = w."segment_id" JOIN "runs" r ON r."id" = w."run_id"
  WHERE r."kind" = 'live'
) AS w JOIN "segment_counts" c ON c."segment_id" = w."segment_id"
GROUP BY c."deployment_id", c."minute", w.label;

INSERT INTO "ledger_deltas" ("deployment_id", "minute", "labels", "counts")
SELECT r."deployment_id", d."minute", ARRAY['backfilled:' || r."id"], ARRAY[d."assigned"]
FROM "dropped_run_minutes" d JOIN "runs" r ON r."id" = d."run_id"
WHERE r."kind" = 'live';

-- Which captures were there before a run, the account says by the run's number. (Without this column, processes of an older
-- version, which know nothing of the account, catalogue nothing any more: their captures wait in the spool.)
ALTER TABLE "segments" DROP COLUMN "created_at";
