-- Candidates' answers are kept, so that another policy can be tried on them without inference.

-- AlterTable
ALTER TABLE "deployments" ADD COLUMN     "answers_bytes_per_day" BIGINT NOT NULL DEFAULT 2147483648,
ADD COLUMN     "keep_answers" JSONB NOT NULL DEFAULT '"all"';

-- AlterTable
ALTER TABLE "policies" ADD COLUMN     "trial" BOOLEAN NOT NULL DEFAULT false;

-- AlterTable
ALTER TABLE "runs" ADD COLUMN     "source_run_id" INTEGER;

-- AlterTable
ALTER TABLE "work" ADD COLUMN     "answers_bytes" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN     "answers_kept" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "answers_key" TEXT,
ADD COLUMN     "answers_sha256" TEXT,
ADD COLUMN     "sweep_after" TIMESTAMPTZ(3);

-- CreateIndex
CREATE INDEX "runs_source_run_id_idx" ON "runs"("source_run_id");

-- CreateIndex
CREATE INDEX "work_sweep_after_idx" ON "work"("sweep_after");

-- AddForeignKey
ALTER TABLE "runs" ADD CONSTRAINT "runs_source_run_id_fkey" FOREIGN KEY ("source_run_id") REFERENCES "runs"("id") ON DELETE CASCADE ON UPDATE CASCADE;
