import { randomBytes } from "node:crypto";
import { UnderstudyError } from "../errors.js";
import type { CaptureFilter } from "../selections/filter.js";
import { countMatching, matchingCaptures } from "./capture-filter.js";
import type { PrismaClient } from "./client.js";
import { noDeployment } from "./deployments.js";
import type { Prisma } from "./generated/client.js";
import { endStates } from "./replay-types.js";
import type { Transaction } from "./runs.js";
import { keepFromDropping } from "./sealing.js";
import { createSelectionComparisons, type SelectionComparisons } from "./selection-comparison.js";
import { jsonInput } from "./sql.js";

export interface Selection {
  id: number;
  deploymentId: number;
  deployment: string;
  name: string;
  filter: CaptureFilter;
  /** Captures: its members when it is sealed; else those that match now. */
  captures: number;
  /** Of its members, those that were erased since. */
  erased: number;
  /** null: it is not sealed. */
  sealed: { atMs: number; key: string; sha256: string } | null;
  createdAtMs: number;
}

/** One member of a sealed selection, at its place in the random order. */
export interface SelectionMember {
  position: number;
  captureId: string;
  /** UTC day, `YYYY-MM-DD`: the partition of its capture and outcomes. */
  day: string;
}

export interface Selections extends SelectionComparisons {
  /** @throws UnderstudyError `not_found`, `conflict` when there is one of that name already, or too much matches */
  create(selection: {
    deployment: string;
    name: string;
    filter: CaptureFilter;
    seal: boolean;
    /** Made by a gate and not by a person: its captures go with their day. */
    forGate?: boolean;
  }): Promise<Selection>;
  get(deployment: string, name: string): Promise<Selection>;
  /** All of a deployment, by name. */
  list(deployment: string): Promise<Selection[]>;
  /**
   * Makes a selection immutable: what matches now are its members for ever, in a random order that hangs on nothing
   * but its seal and their ids. Their segments are not deleted from then on.
   * @throws UnderstudyError `conflict` when it is sealed already, or nothing matches
   */
  seal(deployment: string, name: string): Promise<Selection>;
  /** In the order of the seal, from a position on. */
  members(selectionId: number, from: number, limit: number): Promise<SelectionMember[]>;
  /**
   * Deletes a selection; the days of a sealed one are held by it no longer. Replays of it that have ended stay.
   * @throws UnderstudyError `conflict` when a gate judged it, whose evidence it is, or a replay of it goes on
   */
  remove(deployment: string, name: string): Promise<void>;
}

const sealMs = 120_000;
const withName = { deployment: { select: { name: true } } } satisfies Prisma.SelectionInclude;
type Row = Prisma.SelectionGetPayload<{ include: typeof withName }>;

export function createSelections(prisma: PrismaClient): Selections {
  async function find(deployment: string, name: string): Promise<Row> {
    const row = await prisma.selection.findFirst({
      where: { name, deployment: { name: deployment } },
      include: withName,
    });
    if (row) return row;
    if (!(await prisma.deployment.findUnique({ where: { name: deployment } })))
      throw noDeployment(deployment);
    const elsewhere = await prisma.selection.findFirst({ where: { name }, include: withName });
    throw new UnderstudyError("not_found", `${deployment} has no selection named ${JSON.stringify(name)}.`, {
      hint: elsewhere
        ? `That one is of ${elsewhere.deployment.name}: a selection holds captures of its own deployment.`
        : `\`understudy selection list ${deployment}\` shows those that there are.`,
    });
  }

  return {
    ...createSelectionComparisons(prisma),
    async create({ deployment, name, filter, seal, forGate = false }) {
      const found = await prisma.deployment.findUnique({ where: { name: deployment } });
      if (found === null) throw noDeployment(deployment);
      const row = await prisma.$transaction(
        async (tx) => {
          const known = { deploymentId_name: { deploymentId: found.id, name } };
          if (await tx.selection.findUnique({ where: known })) {
            throw new UnderstudyError("conflict", `${deployment} has a selection named ${name} already.`, {
              hint: "Selections do not change: take another name.",
            });
          }
          const { id } = await tx.selection.create({
            data: { deploymentId: found.id, name, filter: jsonInput(filter), forGate },
          });
          if (seal) await sealSelection(tx, { id, deploymentId: found.id, filter });
          return tx.selection.findUniqueOrThrow({ where: { id }, include: withName });
        },
        { timeout: sealMs },
      );
      return toSelection(prisma, row);
    },
    get: async (deployment, name) => toSelection(prisma, await find(deployment, name)),
    async list(deployment) {
      const found = await prisma.deployment.findUnique({
        where: { name: deployment },
        select: { selections: { include: withName, orderBy: { name: "asc" } } },
      });
      if (!found) throw noDeployment(deployment);
      return Promise.all(found.selections.map((row) => toSelection(prisma, row)));
    },
    async seal(deployment, name) {
      const { id, deploymentId, filter } = await find(deployment, name);
      await prisma.$transaction(
        (tx) => sealSelection(tx, { id, deploymentId, filter: filter as CaptureFilter }),
        { timeout: sealMs },
      );
      return toSelection(prisma, await find(deployment, name));
    },
    members: (selectionId, from, limit) =>
      prisma.$queryRaw<SelectionMember[]>`
        SELECT position, capture_id::text AS "captureId", day::text AS day FROM selection_members
        WHERE selection_id = ${selectionId} AND position >= ${from} ORDER BY position LIMIT ${limit}`,
    async remove(deployment, name) {
      const { id } = await find(deployment, name);
      await prisma.$transaction(async (tx) => {
        // Locked: no gate and no replay of it begins meanwhile.
        await tx.$executeRaw`SELECT FROM selections WHERE id = ${id} FOR UPDATE`;
        if ((await tx.gate.count({ where: { selectionId: id } })) > 0) {
          throw new UnderstudyError(
            "conflict",
            `A gate judged the selection ${name}: it is evidence, and stays.`,
          );
        }
        const ended = [...endStates];
        const open = await tx.replay.findFirst({ where: { selectionId: id, state: { notIn: ended } } });
        if (open !== null) {
          throw new UnderstudyError("conflict", `Replay ${open.runId} of the selection ${name} goes on.`, {
            hint: `Wait for it, or cancel it: POST /api/v1/replays/${open.runId}/cancel`,
          });
        }
        await tx.replay.updateMany({ where: { selectionId: id }, data: { selectionId: null } });
        await tx.selection.delete({ where: { id } });
      });
    },
  };
}

/**
 * The order is that of SHA-256 over `SEAL:ID`, the digest that over the members' ids in this order, one a line: both
 * can be computed again by anyone who has the ids.
 */
async function sealSelection(
  tx: Transaction,
  selection: { id: number; deploymentId: number; filter: CaptureFilter },
): Promise<void> {
  const { id, deploymentId, filter } = selection;
  await keepFromDropping(tx);
  const seal = randomBytes(16).toString("hex");
  const taken = await tx.$executeRaw`
    UPDATE selections SET seal = ${seal}, sealed_at = now() WHERE id = ${id} AND seal IS NULL`;
  if (taken === 0) throw new UnderstudyError("conflict", "The selection is sealed already.");
  const members = await countMatching(tx, deploymentId, filter);
  if (members === 0) {
    throw new UnderstudyError("conflict", "No capture matches: there is nothing to seal.", {
      hint: "Widen the time or the filter; `understudy status` says how much was captured.",
    });
  }
  await tx.$executeRaw`
    INSERT INTO selection_members (selection_id, position, capture_id, day, segment_id, "row")
    SELECT ${id}::int, row_number() OVER (ORDER BY sha256(convert_to(${seal} || ':' || m.id::text, 'UTF8')), m.id) - 1,
           m.id, m.day, m.segment_id, m."row"
    FROM (${matchingCaptures(deploymentId, filter)}) AS m`;
  await tx.$executeRaw`
    UPDATE selections SET (members, sha256) = (
      SELECT count(*), encode(sha256(convert_to(string_agg(capture_id::text, E'\n' ORDER BY position), 'UTF8')), 'hex')
      FROM selection_members WHERE selection_id = ${id})
    WHERE id = ${id}`;
}

async function toSelection(prisma: PrismaClient, row: Row): Promise<Selection> {
  const { id, deploymentId, deployment, name, seal, sha256, sealedAt, members, createdAt } = row;
  const filter = row.filter as CaptureFilter;
  const sealed = seal && sha256 && sealedAt ? { atMs: sealedAt.getTime(), key: seal, sha256 } : null;
  const about = { id, deploymentId, deployment: deployment.name, name, filter, sealed };
  const createdAtMs = createdAt.getTime();
  if (sealed === null) {
    return { ...about, captures: await countMatching(prisma, deploymentId, filter), erased: 0, createdAtMs };
  }
  const [there] = await prisma.$queryRaw<{ n: number }[]>`
    SELECT count(*)::int AS n FROM selection_members m JOIN captures c ON c.day = m.day AND c.id = m.capture_id
    WHERE m.selection_id = ${id} AND c.erasure_id IS NULL`;
  return { ...about, captures: members, erased: members - there!.n, createdAtMs };
}
