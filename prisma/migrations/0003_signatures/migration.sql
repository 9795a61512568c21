-- Divergences grouped by signature, and what people made of each group.

-- CreateTable
CREATE TABLE "signatures" (
    "candidate_id" INTEGER NOT NULL,
    "hash" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "output" TEXT,
    "magnitude" DOUBLE PRECISION,
    "flip" BOOLEAN,
    "shape" BIGINT[],
    "state" TEXT NOT NULL DEFAULT 'new',
    "accepted_until" TIMESTAMPTZ(3),
    "note" TEXT,
    "by" TEXT,
    "updated_at" TIMESTAMPTZ(3),

    CONSTRAINT "signatures_pkey" PRIMARY KEY ("candidate_id","hash")
);

-- CreateIndex
CREATE INDEX "rollups_run_id_series_idx" ON "rollups"("run_id", "series");

-- AddForeignKey
ALTER TABLE "signatures" ADD CONSTRAINT "signatures_candidate_id_fkey" FOREIGN KEY ("candidate_id") REFERENCES "candidates"("id") ON DELETE CASCADE ON UPDATE CASCADE;
