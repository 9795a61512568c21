-- What is redacted before anything is written, whose request a capture is, and large bodies, stored once.

-- AlterTable
ALTER TABLE "deployments" ADD COLUMN     "redaction" JSONB NOT NULL DEFAULT '{}';

-- AlterTable
ALTER TABLE "captures" ADD COLUMN     "redacted" TEXT[],
ADD COLUMN     "subject" TEXT;

-- CreateIndex
-- Partial: most captures have no subject, and those need no entry.
CREATE INDEX "captures_deployment_id_subject_idx" ON "captures"("deployment_id", "subject") WHERE "subject" IS NOT NULL;

-- CreateTable
CREATE TABLE "bodies" (
    "day" DATE NOT NULL,
    "deployment_id" INTEGER NOT NULL,
    "sha256" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "refs" BIGINT NOT NULL,

    CONSTRAINT "bodies_pkey" PRIMARY KEY ("day","deployment_id","sha256")
);

-- CreateIndex
CREATE INDEX "bodies_deployment_id_idx" ON "bodies"("deployment_id");

-- AddForeignKey
ALTER TABLE "bodies" ADD CONSTRAINT "bodies_deployment_id_fkey" FOREIGN KEY ("deployment_id") REFERENCES "deployments"("id") ON DELETE CASCADE ON UPDATE CASCADE;
