-- Flow control by candidate, poison requests set apart, a bound on what is queued, and the ledger's own alert.

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

-- CreateTable
CREATE TABLE "ledger_alerts" (
    "id" UUID NOT NULL,
    "deployment_id" INTEGER NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'firing',
    "faults" JSONB NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "checked_at" TIMESTAMPTZ(3) NOT NULL,
    "resolved_at" TIMESTAMPTZ(3),

    CONSTRAINT "ledger_alerts_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "ledger_alerts_deployment_id_state_idx" ON "ledger_alerts"("deployment_id", "state");

-- AddForeignKey
ALTER TABLE "breakers" ADD CONSTRAINT "breakers_candidate_id_fkey" FOREIGN KEY ("candidate_id") REFERENCES "candidates"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ledger_alerts" ADD CONSTRAINT "ledger_alerts_deployment_id_fkey" FOREIGN KEY ("deployment_id") REFERENCES "deployments"("id") ON DELETE CASCADE ON UPDATE CASCADE;
