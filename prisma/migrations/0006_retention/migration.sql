-- What is left of the account when the captures of old days are dropped: how many there were, by minute of receipt.

-- CreateTable
CREATE TABLE "dropped_minutes" (
    "deployment_id" INTEGER NOT NULL,
    "minute" TIMESTAMPTZ(0) NOT NULL,
    "captures" BIGINT NOT NULL,

    CONSTRAINT "dropped_minutes_pkey" PRIMARY KEY ("deployment_id","minute")
);

-- CreateTable
CREATE TABLE "dropped_run_minutes" (
    "run_id" INTEGER NOT NULL,
    "minute" TIMESTAMPTZ(0) NOT NULL,
    "assigned" BIGINT NOT NULL,

    CONSTRAINT "dropped_run_minutes_pkey" PRIMARY KEY ("run_id","minute")
);

-- CreateIndex
CREATE INDEX "segments_day_idx" ON "segments"("day");

-- AddForeignKey
ALTER TABLE "dropped_minutes" ADD CONSTRAINT "dropped_minutes_deployment_id_fkey" FOREIGN KEY ("deployment_id") REFERENCES "deployments"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "dropped_run_minutes" ADD CONSTRAINT "dropped_run_minutes_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("id") ON DELETE CASCADE ON UPDATE CASCADE;
