-- Rollups by minute, hour, day and run; and what tables are sorted by, in the order of an index.

-- What was folded is folded again, into all levels, by the compactor.
INSERT INTO "rollup_deltas" ("work_id", "run_id", "captured_minute", "judged_minute", "primary_version", "series", "labels", "counts", "max")
SELECT 0, "run_id", "captured_minute", "judged_minute", "primary_version", "series", "labels", "counts", "max" FROM "rollups";

-- DropTable
DROP TABLE "rollups";

-- CreateTable
CREATE TABLE "rollups" (
    "run_id" INTEGER NOT NULL,
    "axis" TEXT NOT NULL,
    "level" TEXT NOT NULL,
    "start" TIMESTAMPTZ(0) NOT NULL,
    "series" TEXT NOT NULL,
    "primary_version" TEXT NOT NULL,
    "labels" TEXT[],
    "counts" BIGINT[],
    "max" DOUBLE PRECISION,

    CONSTRAINT "rollups_pkey" PRIMARY KEY ("run_id","axis","level","start","series","primary_version")
);

-- CreateIndex
CREATE INDEX "rollups_level_start_idx" ON "rollups"("level", "start");

-- CreateTable
CREATE TABLE "signature_sightings" (
    "run_id" INTEGER NOT NULL,
    "hash" TEXT NOT NULL,
    "count" BIGINT NOT NULL,
    "first_minute" TIMESTAMPTZ(0) NOT NULL,
    "last_minute" TIMESTAMPTZ(0) NOT NULL,

    CONSTRAINT "signature_sightings_pkey" PRIMARY KEY ("run_id","hash")
);

-- AlterTable
ALTER TABLE "deployments" ADD COLUMN "keep_match_details" DOUBLE PRECISION NOT NULL DEFAULT 1;

-- AlterTable
ALTER TABLE "output_diffs" ADD COLUMN "captured_at" TIMESTAMPTZ(3),
ADD COLUMN "comparison_max_abs" DOUBLE PRECISION,
ADD COLUMN "comparison_ms" DOUBLE PRECISION;

UPDATE "output_diffs" d
SET "captured_at" = o."captured_at", "comparison_max_abs" = o."max_abs", "comparison_ms" = o."candidate_ms"
FROM "outcomes" o
WHERE d."kind" IS NOT NULL AND o."day" = d."day" AND o."run_id" = d."run_id" AND o."capture_id" = d."capture_id";

-- CreateIndex
CREATE INDEX "outcomes_run_id_candidate_ms_capture_id_idx" ON "outcomes"("run_id", "candidate_ms", "capture_id");

-- Partial: most comparisons match, and have no signature and no kind.
DROP INDEX "outcomes_run_id_signature_captured_at_capture_id_idx";
CREATE INDEX "outcomes_signature_at_idx" ON "outcomes"("run_id", "signature", "captured_at", "capture_id") WHERE "signature" IS NOT NULL;
CREATE INDEX "outcomes_signature_error_idx" ON "outcomes"("run_id", "signature", "max_abs", "capture_id") WHERE "signature" IS NOT NULL;
CREATE INDEX "outcomes_signature_ms_idx" ON "outcomes"("run_id", "signature", "candidate_ms", "capture_id") WHERE "signature" IS NOT NULL;
CREATE INDEX "outcomes_result_error_idx" ON "outcomes"("run_id", "result", "max_abs", "capture_id") WHERE "result" <> 'match';
CREATE INDEX "outcomes_result_ms_idx" ON "outcomes"("run_id", "result", "candidate_ms", "capture_id") WHERE "result" <> 'match';
CREATE INDEX "outcomes_kind_at_idx" ON "outcomes"("run_id", "kind", "captured_at", "capture_id") WHERE "kind" IS NOT NULL;
CREATE INDEX "outcomes_kind_error_idx" ON "outcomes"("run_id", "kind", "max_abs", "capture_id") WHERE "kind" IS NOT NULL;
CREATE INDEX "outcomes_kind_ms_idx" ON "outcomes"("run_id", "kind", "candidate_ms", "capture_id") WHERE "kind" IS NOT NULL;
CREATE INDEX "outcomes_targeted_at_idx" ON "outcomes"("run_id", "captured_at", "capture_id") WHERE "sample" = 'targeted';
CREATE INDEX "outcomes_targeted_error_idx" ON "outcomes"("run_id", "max_abs", "capture_id") WHERE "sample" = 'targeted';
CREATE INDEX "outcomes_targeted_ms_idx" ON "outcomes"("run_id", "candidate_ms", "capture_id") WHERE "sample" = 'targeted';

-- The same of single outputs.
DROP INDEX "output_diffs_run_id_output_kind_capture_id_idx";
CREATE INDEX "output_diffs_output_at_idx" ON "output_diffs"("run_id", "output", "result", "captured_at", "capture_id") WHERE "kind" IS NOT NULL;
CREATE INDEX "output_diffs_output_error_idx" ON "output_diffs"("run_id", "output", "result", "comparison_max_abs", "capture_id") WHERE "kind" IS NOT NULL;
CREATE INDEX "output_diffs_output_ms_idx" ON "output_diffs"("run_id", "output", "result", "comparison_ms", "capture_id") WHERE "kind" IS NOT NULL;
CREATE INDEX "output_diffs_kind_at_idx" ON "output_diffs"("run_id", "kind", "output", "captured_at", "capture_id") WHERE "kind" IS NOT NULL;
CREATE INDEX "output_diffs_kind_error_idx" ON "output_diffs"("run_id", "kind", "output", "comparison_max_abs", "capture_id") WHERE "kind" IS NOT NULL;
CREATE INDEX "output_diffs_kind_ms_idx" ON "output_diffs"("run_id", "kind", "output", "comparison_ms", "capture_id") WHERE "kind" IS NOT NULL;
