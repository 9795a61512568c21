-- AlterTable
ALTER TABLE "gates" ADD COLUMN "selection_id" INTEGER,
ADD COLUMN "read" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN "looked" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN "turn_until" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "replays" ADD COLUMN "for_gate" BOOLEAN NOT NULL DEFAULT false;

-- CreateIndex
CREATE INDEX "gates_selection_id_idx" ON "gates"("selection_id");

-- AddForeignKey
ALTER TABLE "gates" ADD CONSTRAINT "gates_selection_id_fkey" FOREIGN KEY ("selection_id") REFERENCES "selections"("id") ON DELETE NO ACTION ON UPDATE CASCADE;
