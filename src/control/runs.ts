import { UnderstudyError } from "../errors.js";
import type { Store } from "../store/store.js";
import type { Candidate } from "../store/types.js";

/**
 * The run that a request means: the one it names, if that is the candidate's, else the newest live run.
 * @throws UnderstudyError `not_found`
 */
export async function chosenRun(
  { registry }: Pick<Store, "registry">,
  candidate: Candidate,
  wanted: number | undefined,
): Promise<number> {
  if (wanted === undefined) return candidate.liveRunId;
  const run = await registry.getRun(wanted);
  if (run.candidateId === candidate.id) return run.id;
  throw new UnderstudyError("not_found", `Run ${wanted} is not one of ${candidate.name}`, {
    hint: `Its newest live run is ${candidate.liveRunId}.`,
  });
}
