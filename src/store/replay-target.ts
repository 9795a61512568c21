import { UnderstudyError } from "../errors.js";
import type { ReplayTarget } from "./replay-types.js";
import type { Transaction } from "./runs.js";
import { jsonInput } from "./sql.js";

/**
 * What a replay's run pins. Comparisons belong to a candidate; those with a control or any other endpoint to one of
 * state `target`, which is none that was registered: its name, `@control` or `@url`, cannot be a candidate's.
 *
 * @throws UnderstudyError `not_found`
 */
export async function pinTarget(
  tx: Transaction,
  deploymentId: number,
  target: ReplayTarget,
): Promise<{ candidateId: number; modelVersionId: number }> {
  if (target.kind === "candidate") {
    const found = await tx.candidate.findUnique({
      where: { deploymentId_name: { deploymentId, name: target.name } },
    });
    if (found) return { candidateId: found.id, modelVersionId: found.modelVersionId };
    throw new UnderstudyError("not_found", `There is no candidate named ${JSON.stringify(target.name)}.`);
  }
  const { url, model, version, headers } = target.endpoint;
  const { id: modelVersionId } = await tx.modelVersion.create({
    data: {
      deploymentId,
      role: target.kind,
      url,
      model,
      version,
      headers,
      metadata: jsonInput(target.metadata ?? {}),
    },
  });
  const name = `@${target.kind}`;
  const { id: candidateId } = await tx.candidate.upsert({
    where: { deploymentId_name: { deploymentId, name } },
    create: { deploymentId, name, state: "target", modelVersionId },
    update: { modelVersionId },
  });
  return { candidateId, modelVersionId };
}
