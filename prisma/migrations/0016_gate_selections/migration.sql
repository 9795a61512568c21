-- AlterTable
ALTER TABLE "selections" ADD COLUMN "for_gate" BOOLEAN NOT NULL DEFAULT false;
