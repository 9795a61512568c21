-- A sketch's buckets are integers in a column of their own, not labels: a summary reads some thousands of them.

-- Whoever folds has this first; its tables he locks in another order.
SELECT pg_advisory_xact_lock(hashtext('understudy'), hashtext('compact'));
LOCK TABLE "rollups", "rollup_deltas" IN ACCESS EXCLUSIVE MODE;

ALTER TABLE "rollups" ADD COLUMN "buckets" INTEGER[];
ALTER TABLE "rollup_deltas" ADD COLUMN "buckets" INTEGER[];

-- No older process may commit, fold or read a sketch as labels any more: whoever does names this column.
ALTER TABLE "rollups" RENAME COLUMN "max" TO "max_value";
ALTER TABLE "rollup_deltas" RENAME COLUMN "max" TO "max_value";

-- A row of up to 8 kB lies in its page as it is: to unpack a sketch takes as long as to tell its numbers.
ALTER TABLE "rollups" SET (toast_tuple_target = 8160);

-- What holds 0 comes before all others, what holds infinity after them.
-- The counts are put together anew: as they are, they would stay packed.
UPDATE "rollups"
SET "buckets" = array_replace(array_replace("labels", 'zero', '-40000'), 'inf', '40000')::int[], "labels" = NULL,
    "counts" = "counts" || '{}'
WHERE "series" LIKE ANY (ARRAY['latency/%', 'abs/%', 'noise/%', 'lag']);

UPDATE "rollup_deltas"
SET "buckets" = array_replace(array_replace("labels", 'zero', '-40000'), 'inf', '40000')::int[], "labels" = NULL
WHERE "series" LIKE ANY (ARRAY['latency/%', 'abs/%', 'noise/%', 'lag']);

ALTER TABLE "rollups" ADD CONSTRAINT "rollups_kind_check" CHECK (num_nonnulls("labels", "buckets") = 1);
ALTER TABLE "rollup_deltas" ADD CONSTRAINT "rollup_deltas_kind_check" CHECK (num_nonnulls("labels", "buckets") = 1);
