-- Gates, their approvals, and what was promoted because of them.

-- AlterTable
ALTER TABLE "deployments" ADD COLUMN     "gate_approval" TEXT NOT NULL DEFAULT 'none',
ADD COLUMN     "promote_url" TEXT;

-- CreateTable
CREATE TABLE "gates" (
    "id" SERIAL NOT NULL,
    "deployment_id" INTEGER NOT NULL,
    "candidate_id" INTEGER NOT NULL,
    "run_id" INTEGER NOT NULL,
    "author" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'running',
    "verdict" TEXT,
    "error" TEXT,
    "request" JSONB NOT NULL,
    "report" JSONB,
    "sha256" TEXT,
    "work_ids" BIGINT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "gates_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "gate_approvals" (
    "id" SERIAL NOT NULL,
    "gate_id" INTEGER NOT NULL,
    "by" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "sha256" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "gate_approvals_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "promotions" (
    "id" SERIAL NOT NULL,
    "deployment_id" INTEGER NOT NULL,
    "candidate_id" INTEGER NOT NULL,
    "model_version_id" INTEGER NOT NULL,
    "gate_id" INTEGER NOT NULL,
    "alias" TEXT NOT NULL,
    "by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "promotions_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "gates_deployment_id_id_idx" ON "gates"("deployment_id", "id");

-- CreateIndex
CREATE INDEX "gates_candidate_id_id_idx" ON "gates"("candidate_id", "id");

-- CreateIndex
CREATE INDEX "gates_run_id_id_idx" ON "gates"("run_id", "id");

-- CreateIndex
CREATE INDEX "gates_state_idx" ON "gates"("state");

-- CreateIndex
CREATE INDEX "gate_approvals_gate_id_idx" ON "gate_approvals"("gate_id");

-- CreateIndex
CREATE INDEX "promotions_deployment_id_alias_idx" ON "promotions"("deployment_id", "alias");

-- CreateIndex
CREATE INDEX "promotions_candidate_id_idx" ON "promotions"("candidate_id");

-- CreateIndex
CREATE INDEX "promotions_model_version_id_idx" ON "promotions"("model_version_id");

-- CreateIndex
CREATE INDEX "promotions_gate_id_idx" ON "promotions"("gate_id");

-- AddForeignKey
ALTER TABLE "gates" ADD CONSTRAINT "gates_deployment_id_fkey" FOREIGN KEY ("deployment_id") REFERENCES "deployments"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "gates" ADD CONSTRAINT "gates_candidate_id_fkey" FOREIGN KEY ("candidate_id") REFERENCES "candidates"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "gates" ADD CONSTRAINT "gates_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "gate_approvals" ADD CONSTRAINT "gate_approvals_gate_id_fkey" FOREIGN KEY ("gate_id") REFERENCES "gates"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "promotions" ADD CONSTRAINT "promotions_deployment_id_fkey" FOREIGN KEY ("deployment_id") REFERENCES "deployments"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "promotions" ADD CONSTRAINT "promotions_candidate_id_fkey" FOREIGN KEY ("candidate_id") REFERENCES "candidates"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "promotions" ADD CONSTRAINT "promotions_model_version_id_fkey" FOREIGN KEY ("model_version_id") REFERENCES "model_versions"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "promotions" ADD CONSTRAINT "promotions_gate_id_fkey" FOREIGN KEY ("gate_id") REFERENCES "gates"("id") ON DELETE CASCADE ON UPDATE CASCADE;
