import { Prisma } from "./generated/client.js";
import type { Transaction } from "./runs.js";

// Between the choice of a selection's members and its commit their captures must not go, nor be chosen while they go.
const lock = Prisma.sql`hashtext('understudy'), hashtext('sealing')`;

/** Until the transaction ends no day is dropped. Several may seal at a time. */
export async function keepFromDropping(tx: Transaction): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock_shared(${lock})`;
}

/** Until the transaction ends no selection is sealed. */
export async function keepFromSealing(tx: Transaction): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(${lock})`;
}
