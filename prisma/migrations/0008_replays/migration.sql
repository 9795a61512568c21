-- Selections of captures, and replays of them: runs of kind `replay`, their time line and their terms.

-- AlterTable
ALTER TABLE "work" ADD COLUMN     "row_list" INTEGER[],
ADD COLUMN     "due_ms" DOUBLE PRECISION,
ADD COLUMN     "skew_ms" DOUBLE PRECISION NOT NULL DEFAULT 0;

-- AlterTable
ALTER TABLE "outcomes" ADD COLUMN     "late_ms" DOUBLE PRECISION;

-- CreateTable
CREATE TABLE "selections" (
    "id" SERIAL NOT NULL,
    "deployment_id" INTEGER NOT NULL,
    "name" TEXT NOT NULL,
    "filter" JSONB NOT NULL,
    "seal" TEXT,
    "sha256" TEXT,
    "members" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "sealed_at" TIMESTAMPTZ(3),

    CONSTRAINT "selections_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "selection_members" (
    "selection_id" INTEGER NOT NULL,
    "position" INTEGER NOT NULL,
    "capture_id" UUID NOT NULL,
    "day" DATE NOT NULL,
    "segment_id" UUID NOT NULL,
    "row" INTEGER NOT NULL,

    CONSTRAINT "selection_members_pkey" PRIMARY KEY ("selection_id","position")
);

-- CreateTable
CREATE TABLE "replays" (
    "run_id" INTEGER NOT NULL,
    "deployment_id" INTEGER NOT NULL,
    "target" JSONB NOT NULL,
    "selection_id" INTEGER,
    "filter" JSONB NOT NULL,
    "speed" DOUBLE PRECISION,
    "concurrency" INTEGER NOT NULL,
    "rate_per_second" DOUBLE PRECISION,
    "on_failure" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'planned',
    "error" TEXT,
    "captures" INTEGER NOT NULL,
    "origin_ms" DOUBLE PRECISION NOT NULL,
    "length_ms" DOUBLE PRECISION NOT NULL,
    "line_at_ms" DOUBLE PRECISION,
    "interruptions" INTEGER NOT NULL DEFAULT 0,
    "conducted_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "started_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "replays_pkey" PRIMARY KEY ("run_id")
);

-- CreateIndex
CREATE UNIQUE INDEX "selections_deployment_id_name_key" ON "selections"("deployment_id", "name");

-- CreateIndex
CREATE UNIQUE INDEX "selection_members_selection_id_capture_id_key" ON "selection_members"("selection_id", "capture_id");

-- CreateIndex
CREATE INDEX "selection_members_segment_id_idx" ON "selection_members"("segment_id");

-- CreateIndex
CREATE INDEX "replays_state_idx" ON "replays"("state");

-- CreateIndex
CREATE INDEX "replays_deployment_id_idx" ON "replays"("deployment_id");

-- CreateIndex
CREATE INDEX "replays_selection_id_idx" ON "replays"("selection_id");

-- AddForeignKey
ALTER TABLE "selections" ADD CONSTRAINT "selections_deployment_id_fkey" FOREIGN KEY ("deployment_id") REFERENCES "deployments"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "selection_members" ADD CONSTRAINT "selection_members_selection_id_fkey" FOREIGN KEY ("selection_id") REFERENCES "selections"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "selection_members" ADD CONSTRAINT "selection_members_segment_id_fkey" FOREIGN KEY ("segment_id") REFERENCES "segments"("id") ON DELETE NO ACTION ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "replays" ADD CONSTRAINT "replays_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "replays" ADD CONSTRAINT "replays_deployment_id_fkey" FOREIGN KEY ("deployment_id") REFERENCES "deployments"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "replays" ADD CONSTRAINT "replays_selection_id_fkey" FOREIGN KEY ("selection_id") REFERENCES "selections"("id") ON DELETE NO ACTION ON UPDATE CASCADE;
