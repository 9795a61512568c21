import { isDeepStrictEqual } from "node:util";
import { UnderstudyError } from "../errors.js";
import { changedFlow, type FlowChange, flowSchema } from "../replay/flow.js";
import { backfillRun } from "./backfill.js";
import { breakerStaleMs } from "./breakers.js";
import type { PrismaClient } from "./client.js";
import { noDeployment } from "./deployments.js";
import type { Prisma } from "./generated/client.js";
import type { Registry } from "./groups.js";
import { isSameDescription } from "./model-description.js";
import { lockDeployment, openLiveRun, type Transaction, toRun } from "./runs.js";
import { jsonInput } from "./sql.js";
import type { BreakerView, Candidate, NewCandidate } from "./types.js";

const withRun = {
  modelVersion: true,
  runs: {
    where: { kind: { in: ["live", "replay"] } },
    // "live" comes first.
    orderBy: [{ kind: "asc" }, { id: "desc" }],
    take: 1,
    select: { id: true },
  },
  breakers: true,
} satisfies Prisma.CandidateInclude;
type CandidateRow = Prisma.CandidateGetPayload<{ include: typeof withRun }>;

const withVersion = { policy: { select: { version: true } } } satisfies Prisma.RunInclude;

type Candidates = Pick<
  Registry,
  "addCandidate" | "changeCandidate" | "getCandidate" | "listCandidates" | "getRun" | "listRuns"
>;

export function createCandidates(prisma: PrismaClient): Candidates {
  async function one(deployment: string, name: string): Promise<Candidate> {
    const row = await prisma.candidate.findFirst({
      where: { name, deployment: { name: deployment } },
      include: withRun,
    });
    if (row) return toCandidate(row);
    if (!(await prisma.deployment.findUnique({ where: { name: deployment } })))
      throw noDeployment(deployment);
    throw noCandidate(deployment, name);
  }

  return {
    async addCandidate(deployment, candidate) {
      const row = await prisma.$transaction(async (tx) => {
        const deploymentId = await lockDeployment(tx, deployment);
        if (deploymentId === null) throw noDeployment(deployment);
        const key = { deploymentId_name: { deploymentId, name: candidate.name } };
        const known = await tx.candidate.findUnique({ where: key, include: withRun });
        if (!known || !isSameRevision(known, candidate)) {
          await pinRevision(tx, deploymentId, known?.id ?? null, candidate);
        }
        if (candidate.flow !== undefined) await setFlow(tx, key, candidate.flow);
        const row = await tx.candidate.findUniqueOrThrow({ where: key, include: withRun });
        if (candidate.backfill !== undefined) await backfillRun(tx, row.runs[0]!.id, candidate.backfill);
        return row;
      });
      return toCandidate(row);
    },

    async changeCandidate(deployment, name, { flow }) {
      await prisma.$transaction(async (tx) => {
        const deploymentId = await lockDeployment(tx, deployment);
        if (deploymentId === null) throw noDeployment(deployment);
        const key = { deploymentId_name: { deploymentId, name } };
        if (!(await tx.candidate.findUnique({ where: key }))) throw noCandidate(deployment, name);
        await setFlow(tx, key, flow);
      });
      return one(deployment, name);
    },

    getCandidate: one,

    async listCandidates(deployment) {
      const found = await prisma.deployment.findUnique({
        where: { name: deployment },
        select: {
          candidates: { where: { state: { not: "target" } }, include: withRun, orderBy: { name: "asc" } },
        },
      });
      if (!found) throw noDeployment(deployment);
      return found.candidates.map(toCandidate);
    },

    async getRun(id) {
      const row = await prisma.run.findUnique({ where: { id }, include: withVersion });
      if (!row) throw new UnderstudyError("not_found", `There is no run ${id}.`);
      return toRun(row);
    },

    async listRuns(candidateId) {
      const rows = await prisma.run.findMany({
        where: { candidateId },
        include: withVersion,
        orderBy: { id: "desc" },
      });
      return rows.map(toRun);
    },
  };
}

const noCandidate = (deployment: string, name: string) =>
  new UnderstudyError("not_found", `${deployment} has no candidate named ${JSON.stringify(name)}.`, {
    hint: `\`understudy candidate ${deployment} NAME URL\` adds one.`,
  });

async function setFlow(
  tx: Transaction,
  where: Prisma.CandidateWhereUniqueInput,
  change: FlowChange,
): Promise<void> {
  const { flow } = await tx.candidate.findUniqueOrThrow({ where, select: { flow: true } });
  await tx.candidate.update({ where, data: { flow: changedFlow(flowSchema.parse(flow), change) } });
}

/**
 * Whether the candidate is in force as it is given: then its run goes on. A file of ours is its digest; of any other
 * there is only what it says of itself, since one URL may lead to another model tomorrow.
 */
function isSameRevision(known: CandidateRow, given: NewCandidate): boolean {
  if (known.state !== "active" || given.newRevision === true) return false;
  const { endpoint, sha256, metadata } = toCandidate(known);
  return (
    sha256 === given.sha256 &&
    isDeepStrictEqual(endpoint, given.endpoint) &&
    (sha256 !== null || isSameDescription({ version: endpoint.version, metadata }, given.metadata))
  );
}

async function pinRevision(
  tx: Transaction,
  deploymentId: number,
  knownId: number | null,
  { name, endpoint, sha256, metadata }: NewCandidate,
): Promise<void> {
  const version = await tx.modelVersion.create({
    data: {
      deploymentId,
      role: "candidate",
      url: endpoint.url,
      model: endpoint.model,
      version: endpoint.version,
      headers: endpoint.headers,
      sha256,
      metadata: jsonInput(metadata ?? {}),
    },
  });
  const revision = { modelVersionId: version.id, state: "active" };
  const { id: candidateId } =
    knownId === null
      ? await tx.candidate.create({ data: { deploymentId, name, ...revision } })
      : await tx.candidate.update({ where: { id: knownId }, data: revision });
  const policy = await tx.policy.findFirstOrThrow({
    where: { deploymentId, trial: false },
    orderBy: { version: "desc" },
  });
  await openLiveRun(tx, { deploymentId, candidateId, modelVersionId: version.id, policyId: policy.id });
}

/** What workers say of it that are alive still. */
function breakerOf(breakers: CandidateRow["breakers"]): BreakerView | null {
  const told = breakers
    .filter(({ retryAt }) => retryAt.getTime() > Date.now() - breakerStaleMs)
    .sort((a, b) => b.retryAt.getTime() - a.retryAt.getTime());
  const [newest] = told;
  if (newest === undefined) return null;
  return {
    openedAtMs: Math.min(...told.map(({ openedAt }) => openedAt.getTime())),
    retryAtMs: Math.min(...told.map(({ retryAt }) => retryAt.getTime())),
    reason: newest.reason,
    workers: told.length,
  };
}

function toCandidate({ modelVersion, ...row }: CandidateRow): Candidate {
  const { url, model, version, headers } = modelVersion;
  return {
    id: row.id,
    deploymentId: row.deploymentId,
    name: row.name,
    state: row.state as Candidate["state"],
    endpoint: { url, model, version, headers: headers as Record<string, string> },
    sha256: modelVersion.sha256,
    metadata: modelVersion.metadata,
    flow: flowSchema.parse(row.flow),
    breaker: breakerOf(row.breakers),
    liveRunId: row.runs[0]!.id,
    createdAtMs: row.createdAt.getTime(),
    updatedAtMs: row.updatedAt.getTime(),
  };
}
