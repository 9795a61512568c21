-- Flow control by candidate, poison requests set apart, and a bound on what is queued.

-- AlterTable
ALTER TABLE "candidates" ADD COLUMN     "flow" JSONB NOT NULL DEFAULT '{}';

-- AlterTable
ALTER TABLE "work" ADD COLUMN     "backfill" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "suspect" BOOLEAN NOT NULL DEFAULT false;

-- CreateIndex
-- Partial: what the queue holds of each run is counted at every commit of a segment, and is bounded.
CREATE INDEX "work_queued_idx" ON "work"("run_id") WHERE "enqueued_at" IS NOT NULL AND "state" IN ('pending', 'leased');

-- CreateIndex
-- Partial: those that wait until the queue has room, by run and age.
CREATE INDEX "work_unqueued_idx" ON "work"("run_id", "id") WHERE "enqueued_at" IS NULL AND "state" = 'pending';

-- CreateTable
CREATE TABLE "breakers" (
    "candidate_id" INTEGER NOT NULL,
    "worker" TEXT NOT NULL,
    "opened_at" TIMESTAMPTZ(3) NOT NULL,
    "retry_at" TIMESTAMPTZ(3) NOT NULL,
    "reason" TEXT NOT NULL,

    CONSTRAINT "breakers_pkey" PRIMARY KEY ("candidate_id","worker")
);

-- AddForeignKey
ALTER TABLE "breakers" ADD CONSTRAINT "breakers_candidate_id_fkey" FOREIGN KEY ("candidate_id") REFERENCES "candidates"("id") ON DELETE CASCADE ON UPDATE CASCADE;
