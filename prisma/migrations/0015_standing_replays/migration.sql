-- AlterTable
ALTER TABLE "gates" ADD COLUMN "needs_more" BOOLEAN NOT NULL DEFAULT false;

UPDATE "gates" SET "needs_more" = true WHERE "state" = 'running' AND "selection_id" IS NOT NULL;

-- Until now a replay that a gate had begun was written down as paused while it stood still, as one that a person paused.
UPDATE "replays" SET "state" = 'planned' WHERE "for_gate" AND "state" = 'paused';
