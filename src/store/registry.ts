import { createCandidates } from "./candidates.js";
import type { PrismaClient } from "./client.js";
import { createDeployments } from "./deployments.js";
import type { Registry } from "./groups.js";

/** What is registered: deployments with their policies, candidates with their runs. */
export function createRegistry(prisma: PrismaClient): Registry {
  return { ...createDeployments(prisma), ...createCandidates(prisma) };
}
