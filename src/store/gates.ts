import type { Policy } from "../compare/policy.js";
import { UnderstudyError } from "../errors.js";
import type { Verdict } from "../stats/verdict.js";
import type { PrismaClient } from "./client.js";
import { createGateSets } from "./gate-sets.js";
import { createGateTurns } from "./gate-turns.js";
import type { GatePins, GateState, Gates, StoredGate } from "./gate-types.js";
import type { Prisma } from "./generated/client.js";
import { createSelectionReads } from "./selection-reads.js";
import { jsonInput } from "./sql.js";
import type { RunKind } from "./types.js";

const withAll = {
  deployment: { select: { name: true } },
  candidate: { select: { name: true } },
  run: { select: { kind: true } },
  selection: { select: { id: true, name: true, sha256: true, members: true } },
  approvals: { orderBy: { id: "asc" } },
} satisfies Prisma.GateInclude;
type GateRow = Prisma.GateGetPayload<{ include: typeof withAll }>;

const withPins = {
  modelVersion: true,
  policy: { select: { version: true, sha256: true, body: true } },
} satisfies Prisma.RunInclude;

/** A gate over a selection may end long after others that began later: what it says is the newest then. */
const endedLast = [{ endedAt: "desc" }, { id: "desc" }] satisfies Prisma.GateOrderByWithRelationInput[];

export function createGates(prisma: PrismaClient): Gates {
  async function end(id: number, data: Prisma.GateUpdateManyMutationInput): Promise<boolean> {
    const ended = await prisma.gate.updateMany({
      where: { id, state: "running" },
      data: { endedAt: new Date(), ...data },
    });
    return ended.count === 1;
  }
  return {
    ...createGateSets(prisma),
    ...createSelectionReads(prisma),
    ...createGateTurns(prisma),

    async pins(runId) {
      const { modelVersion, policy } = await prisma.run.findUniqueOrThrow({
        where: { id: runId },
        include: withPins,
      });
      return { model: toModel(modelVersion), policy: toPolicy(policy) };
    },

    async inForce(candidateId) {
      const { modelVersion, deployment } = await prisma.candidate.findUniqueOrThrow({
        where: { id: candidateId },
        include: {
          modelVersion: true,
          deployment: {
            select: {
              policies: {
                where: { trial: false },
                orderBy: { version: "desc" },
                take: 1,
                select: { version: true, sha256: true, body: true },
              },
            },
          },
        },
      });
      return { model: toModel(modelVersion), policy: toPolicy(deployment.policies[0]!) };
    },

    async create({ request, ...gate }) {
      const { id } = await prisma.gate.create({
        data: { ...gate, request: jsonInput(request) },
        select: { id: true },
      });
      return id;
    },

    finish: (id, { verdict, report, sha256, workIds, read }) =>
      end(id, {
        ...{ state: "done", verdict, report: jsonInput(report), sha256, workIds: [...workIds] },
        ...(read === undefined ? {} : { read }),
      }),

    giveUp: (id, state, error) => end(id, { state, error }),

    async get(id) {
      const row = await prisma.gate.findUnique({ where: { id }, include: withAll });
      if (row) return toGate(row);
      throw new UnderstudyError("not_found", `There is no gate ${id}.`, {
        hint: "GET /api/v1/gates lists them.",
      });
    },

    async newestDone(candidateId) {
      const row = await prisma.gate.findFirst({
        where: { candidateId, state: "done" },
        orderBy: endedLast,
        include: withAll,
      });
      return row && toGate(row);
    },

    async list({ deployment, candidate, before, limit }) {
      const rows = await prisma.gate.findMany({
        where: {
          ...(deployment === null ? {} : { deployment: { name: deployment } }),
          ...(candidate === null ? {} : { candidate: { name: candidate } }),
          ...(before === null ? {} : { id: { lt: before } }),
        },
        include: withAll,
        omit: { report: true, workIds: true },
        orderBy: { id: "desc" },
        take: limit,
      });
      return rows.map((row) => toGate({ ...row, report: null, workIds: [] }));
    },

    async verdictOf(runId) {
      const row = await prisma.gate.findFirst({
        where: { runId, state: "done" },
        orderBy: endedLast,
        select: { verdict: true },
      });
      return (row?.verdict ?? null) as Verdict | null;
    },

    async approve(gateId, approval) {
      await prisma.gateApproval.create({ data: { gateId, ...approval } });
    },
  };
}

function toPolicy({ version, sha256, body }: Pick<Prisma.PolicyModel, "version" | "sha256" | "body">) {
  return { version, sha256, body: body as Policy };
}

function toModel(row: Prisma.ModelVersionModel): GatePins["model"] {
  const { url, model, version, sha256, metadata } = row;
  return { url, name: model, version, sha256, metadata };
}

function toGate(row: GateRow): StoredGate {
  return {
    id: row.id,
    deployment: row.deployment.name,
    candidate: row.candidate.name,
    candidateId: row.candidateId,
    runId: row.runId,
    runKind: row.run.kind as RunKind,
    author: row.author,
    state: row.state as GateState,
    verdict: row.verdict as Verdict | null,
    error: row.error,
    request: row.request,
    // One that gates have used is sealed, and so has a digest.
    selection: row.selection && {
      ...row.selection,
      sha256: row.selection.sha256!,
      read: row.read,
      looked: row.looked,
    },
    report: row.report,
    sha256: row.sha256,
    workIds: row.workIds,
    createdAtMs: row.createdAt.getTime(),
    endedAtMs: row.endedAt?.getTime() ?? null,
    approvals: row.approvals.map(({ by, reason, sha256, createdAt }) => ({
      by,
      reason,
      sha256,
      atMs: createdAt.getTime(),
    })),
  };
}
