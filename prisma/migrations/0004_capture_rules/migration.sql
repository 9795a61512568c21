-- What is captured beside the base sample, switched for all deployments at once, and how much it would be.

-- AlterTable
ALTER TABLE "deployments" ADD COLUMN "capture" JSONB NOT NULL DEFAULT '{}';

-- AlterTable
ALTER TABLE "captures" ADD COLUMN "rule" TEXT NOT NULL DEFAULT '';

-- AlterTable
ALTER TABLE "ledger_counts" ADD COLUMN "request_bytes" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN "response_bytes" BIGINT NOT NULL DEFAULT 0;

-- CreateTable
CREATE TABLE "settings" (
    "name" TEXT NOT NULL,
    "value" JSONB NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "settings_pkey" PRIMARY KEY ("name")
);
