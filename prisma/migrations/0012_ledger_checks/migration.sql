-- An alert may tell of a deployment's ledger: it has no candidate, no run and no rate then, but says what is off.

-- AlterTable
ALTER TABLE "alert_rules" ADD COLUMN     "kind" TEXT NOT NULL DEFAULT 'diff_rate';

-- AlterTable
ALTER TABLE "alerts" ADD COLUMN     "detail" TEXT,
ALTER COLUMN "candidate_id" DROP NOT NULL,
ALTER COLUMN "run_id" DROP NOT NULL,
ALTER COLUMN "diff_rate" DROP NOT NULL,
ALTER COLUMN "samples" DROP NOT NULL,
ALTER COLUMN "mismatches" DROP NOT NULL;

-- CreateTable
CREATE TABLE "ledger_checks" (
    "deployment_id" INTEGER NOT NULL,
    "checked_at" TIMESTAMPTZ(3) NOT NULL,
    "imbalances" JSONB NOT NULL,
    "in_a_row" INTEGER NOT NULL,

    CONSTRAINT "ledger_checks_pkey" PRIMARY KEY ("deployment_id")
);

-- AddForeignKey
ALTER TABLE "ledger_checks" ADD CONSTRAINT "ledger_checks_deployment_id_fkey" FOREIGN KEY ("deployment_id") REFERENCES "deployments"("id") ON DELETE CASCADE ON UPDATE CASCADE;
