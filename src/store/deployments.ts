import { isDeepStrictEqual } from "node:util";
import type { KeepAnswers } from "../answers/keeping.js";
import { type CaptureSettings, captureSettingsSchema } from "../capture/settings.js";
import { UnderstudyError } from "../errors.js";
import { redactionSchema } from "../redaction/settings.js";
import type { Endpoint, PrimaryEndpoint } from "../upstream/endpoint.js";
import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";
import type { Registry } from "./groups.js";
import { nextPolicyVersion, policyColumns } from "./policies.js";
import { lockDeployment, openLiveRun, type Transaction } from "./runs.js";
import { jsonInput, jsonText } from "./sql.js";
import { createSwitches } from "./switches.js";
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
  | "refuseTaken"
  | "updateDeployment"
  | "getDeployment"
  | "listDeployments"
  | "setPolicy"
  | "gatewayConfig"
  | "clockMs"
>;

export function createDeployments(prisma: PrismaClient): Deployments {
  return {
    async createDeployment({ name, primary, control, policy, capture, redaction, ...settings }) {
      const row = await prisma.$transaction(async (tx) => {
        await lockNames(tx);
        await refuseTaken(tx, name, primary.model);
        return tx.deployment.create({
          data: {
            name,
            primary: jsonInput(primary),
            control: controlColumn(control),
            capture: capture && jsonInput(capture),
            redaction: redaction && jsonInput(redaction),
            ...settings,
            policies: { create: policyColumns(1, policy) },
          },
          include: withPolicy,
        });
      });
      return toDeployment(row);
    },

    refuseTaken: (name, model) => refuseTaken(prisma, name, model),

    async updateDeployment(name, { primary, control, capture, redaction, ...settings }) {
      try {
        const row = await prisma.$transaction(async (tx) => {
          if (primary) {
            await lockNames(tx);
            await refuseTakenModel(tx, name, primary.model);
          }
          if (capture) await mergeCapture(tx, name, capture);
          return tx.deployment.update({
            where: { name },
            data: {
              primary: primary && jsonInput(primary),
              control: control === undefined ? undefined : controlColumn(control),
              redaction: redaction && jsonInput(redaction),
              ...settings,
              revision: { increment: 1 },
            },
            include: withPolicy,
          });
        });
        return toDeployment(row);
      } catch (error) {
        if (isMissing(error)) throw noDeployment(name);
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
      const { enabled } = await createSwitches(prisma).capture();
      return {
        captureEnabled: enabled,
        deployments: rows.map((row) => ({
          id: row.id,
          name: row.name,
          primary: row.primary as unknown as PrimaryEndpoint,
          sampleRate: row.sampleRate,
          captureEnabled: row.captureEnabled,
          capture: captureSettingsSchema.parse(row.capture),
          redaction: redactionSchema.parse(row.redaction),
        })),
      };
    },

    async clockMs() {
      const [row] = await prisma.$queryRaw<{ ms: number }[]>`
        SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms`;
      return row!.ms;
    },
  };
}

/** In one statement: of two who change different settings at once, each keeps what the other set. */
async function mergeCapture(tx: Transaction, name: string, change: Partial<CaptureSettings>): Promise<void> {
  await tx.$executeRaw`
    UPDATE deployments SET capture = capture || ${jsonText(change)}::jsonb WHERE name = ${name}`;
}

/** Until the transaction ends, no other takes a name or a primary's model. */
async function lockNames(tx: Transaction): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('understudy'), hashtext('deployments'))`;
}

async function refuseTaken(tx: Transaction, name: string, model: string): Promise<void> {
  if ((await tx.deployment.count({ where: { name } })) > 0) {
    throw new UnderstudyError("conflict", `A deployment named ${JSON.stringify(name)} exists already.`, {
      hint:
        "Choose another name; or keep it: `understudy status` shows it, `understudy candidate` adds a candidate " +
        "to it, and PATCH /api/v1/deployments/NAME changes it.",
    });
  }
  await refuseTakenModel(tx, name, model);
}

/** Gateways tell deployments apart by the model in the path: of two with one model, the second would get nothing. */
async function refuseTakenModel(tx: Transaction, name: string, model: string): Promise<void> {
  const other = await tx.deployment.findFirst({
    where: { primary: { path: ["model"], equals: model }, name: { not: name } },
    orderBy: { id: "asc" },
  });
  if (!other) return;
  const [quotedModel, quotedName] = [model, other.name].map((word) => JSON.stringify(word));
  throw new UnderstudyError(
    "conflict",
    `The model ${quotedModel} is the primary of the deployment ${quotedName} already.`,
    {
      hint:
        "Gateways tell deployments apart by the model in the path. Add candidates to that deployment, or give the " +
        "primary a model name of its own.",
    },
  );
}

/** Prisma's code for: the row to change does not exist. */
function isMissing(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === "P2025";
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
    primary: row.primary as unknown as PrimaryEndpoint,
    control: row.control as unknown as Endpoint | null,
    sampleRate: row.sampleRate,
    captureEnabled: row.captureEnabled,
    capture: captureSettingsSchema.parse(row.capture),
    redaction: redactionSchema.parse(row.redaction),
    keepAnswers: row.keepAnswers as KeepAnswers,
    keepMatchDetails: row.keepMatchDetails,
    answersBytesPerDay: Number(row.answersBytesPerDay),
    gateApproval: row.gateApproval as Deployment["gateApproval"],
    promoteUrl: row.promoteUrl,
    revision: row.revision,
    policy: toPolicy(row.policies[0]!),
    createdAtMs: row.createdAt.getTime(),
    updatedAtMs: row.updatedAt.getTime(),
  };
}
