-- Erasures: what was asked to be forgotten, and the tombstones by which it stays so.

-- AlterTable
-- Ids that clients gave are kept in tombstones as salted hashes only.
ALTER TABLE "deployments" ADD COLUMN     "erasure_salt" UUID NOT NULL DEFAULT gen_random_uuid();

-- AlterTable
ALTER TABLE "captures" ADD COLUMN     "erasure_id" UUID,
ADD COLUMN     "erased" BOOLEAN NOT NULL DEFAULT false;

-- CreateIndex
-- Partial, both: most captures are never erased, and those need no entry.
CREATE INDEX "captures_erased_segment_id_idx" ON "captures"("segment_id") WHERE "erasure_id" IS NOT NULL;

-- CreateIndex
CREATE INDEX "captures_erasure_id_idx" ON "captures"("erasure_id") WHERE "erasure_id" IS NOT NULL;

-- AlterTable
ALTER TABLE "work" ADD COLUMN     "generation" INTEGER NOT NULL DEFAULT 1;

-- AlterTable
ALTER TABLE "bodies" ADD COLUMN     "released_at" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "erasures" (
    "id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "deployment" TEXT,
    "found" INTEGER NOT NULL DEFAULT 0,
    "erased" INTEGER NOT NULL DEFAULT 0,
    "waiting_for" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "error" TEXT,
    "proof" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "scanned_at" TIMESTAMPTZ(3),
    "done_at" TIMESTAMPTZ(3),

    CONSTRAINT "erasures_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tombstones" (
    "erasure_id" UUID NOT NULL,
    "deployment_id" INTEGER NOT NULL,
    "mark" TEXT NOT NULL,
    "until" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "tombstones_pkey" PRIMARY KEY ("erasure_id","deployment_id","mark")
);

-- CreateTable
CREATE TABLE "doomed_blobs" (
    "key" TEXT NOT NULL,
    "day" DATE,
    "deployment_id" INTEGER,
    "body_sha256" TEXT,

    CONSTRAINT "doomed_blobs_pkey" PRIMARY KEY ("key")
);

-- CreateIndex
CREATE INDEX "erasures_done_at_idx" ON "erasures"("done_at");

-- CreateIndex
CREATE INDEX "tombstones_deployment_id_mark_idx" ON "tombstones"("deployment_id", "mark");

-- AddForeignKey
ALTER TABLE "tombstones" ADD CONSTRAINT "tombstones_erasure_id_fkey" FOREIGN KEY ("erasure_id") REFERENCES "erasures"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tombstones" ADD CONSTRAINT "tombstones_deployment_id_fkey" FOREIGN KEY ("deployment_id") REFERENCES "deployments"("id") ON DELETE CASCADE ON UPDATE CASCADE;
