import { isDeepStrictEqual } from "node:util";
import type { KeepAnswers } from "../answers/keeping.js";
import { UnderstudyError } from "../errors.js";
import type { Endpoint } from "../upstream/endpoint.js";
import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";
import type { Registry } from "./groups.js";
import { nextPolicyVersion, policyColumns } from "./policies.js";
import { lockDeployment, openLiveRun } from "./runs.js";
import { jsonInput } from "./sql.js";
import type { Deployment, Policy } from "./types.js";

const withPolicy = {
  policies: { where: { trial: false }, orderBy: { version: "desc" }, take: 1 },
} satisfies Prisma.DeploymentInclude;
type DeploymentRow = Prisma.DeploymentGetPayload<{ include: typeof withPolicy }>;

export function noDeployment(name: string): UnderstudyError {
  return new UnderstudyError("not_found", `There is no deployment named ${JSON.stringify(name)}.`, {
    hint: "`understudy status` lists the deployments; `understudy register` adds one.",
  });
}

type Deployments = Pick<
  Registry,
  | "createDeployment"
  | "updateDeployment"
  | "getDeployment"
  | "listDeployments"
  | "setPolicy"
  | "gatewayConfig"
>;

export function createDeployments(prisma: PrismaClient): Deployments {
  return {
    async createDeployment({ name, primary, control, policy, ...settings }) {
      try {
        const row = await prisma.deployment.create({
          data: {
            name,
            primary: jsonInput(primary),
            control: controlColumn(control),
            ...settings,
            policies: { create: policyColumns(1, policy) },
          },
          include: withPolicy,
        });
        return toDeployment(row);
      } catch (error) {
        if (!hasCode(error, "P2002")) throw error;
        throw new UnderstudyError("conflict", `A deployment named ${JSON.stringify(name)} exists already.`, {
          hint: "Change it with PATCH, or choose another name.",
          cause: error,
        });
      }
    },

    async updateDeployment(name, { primary, control, ...settings }) {
      try {
        const row = await prisma.deployment.update({
          where: { name },
          data: {
            primary: primary && jsonInput(primary),
            control: control === undefined ? undefined : controlColumn(control),
            ...settings,
            revision: { increment: 1 },
          },
          include: withPolicy,
        });
        return toDeployment(row);
      } catch (error) {
        if (hasCode(error, "P2025")) throw noDeployment(name);
        throw error;
      }
    },

    async getDeployment(name) {
      const row = await prisma.deployment.findUnique({ where: { name }, include: withPolicy });
      if (!row) throw noDeployment(name);
      return toDeployment(row);
    },

    async listDeployments() {
      const rows = await prisma.deployment.findMany({ include: withPolicy, orderBy: { name: "asc" } });
      return rows.map(toDeployment);
    },

    async setPolicy(name, body) {
      return prisma.$transaction(async (tx) => {
        const deploymentId = await lockDeployment(tx, name);
        if (deploymentId === null) throw noDeployment(name);
        const newest = await tx.policy.findFirstOrThrow({
          where: { deploymentId, trial: false },
          orderBy: { version: "desc" },
        });
        const next = policyColumns(await nextPolicyVersion(tx, deploymentId), body);
        if (isDeepStrictEqual(newest.body, next.body)) return toPolicy(newest);
        const policy = await tx.policy.create({ data: { deploymentId, ...next } });
        const candidates = await tx.candidate.findMany({
          where: { deploymentId, state: "active" },
          orderBy: { id: "asc" },
        });
        for (const { id: candidateId, modelVersionId } of candidates) {
          await openLiveRun(tx, { deploymentId, candidateId, modelVersionId, policyId: policy.id });
        }
        return toPolicy(policy);
      });
    },

    async gatewayConfig() {
      const rows = await prisma.deployment.findMany({ orderBy: { id: "asc" } });
      return {
        deployments: rows.map((row) => ({
          id: row.id,
          name: row.name,
          primary: row.primary as unknown as Endpoint,
          sampleRate: row.sampleRate,
          captureEnabled: row.captureEnabled,
        })),
      };
    },
  };
}

/** Prisma's codes: P2002 a unique value exists already, P2025 the row to change does not exist. */
function hasCode(error: unknown, code: "P2002" | "P2025"): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === code;
}

function controlColumn(control: Endpoint | null) {
  return control ? jsonInput(control) : Prisma.DbNull;
}

function toPolicy(row: Prisma.PolicyModel): Policy {
  return { id: row.id, version: row.version, body: row.body, createdAtMs: row.createdAt.getTime() };
}

function toDeployment(row: DeploymentRow): Deployment {
  return {
    id: row.id,
    name: row.name,
    primary: row.primary as unknown as Endpoint,
    control: row.control as unknown as Endpoint | null,
    sampleRate: row.sampleRate,
    captureEnabled: row.captureEnabled,
    keepAnswers: row.keepAnswers as KeepAnswers,
    answersBytesPerDay: Number(row.answersBytesPerDay),
    revision: row.revision,
    policy: toPolicy(row.policies[0]!),
    createdAtMs: row.createdAt.getTime(),
    updatedAtMs: row.updatedAt.getTime(),
  };
}
