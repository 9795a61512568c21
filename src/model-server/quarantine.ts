import { createHash } from "node:crypto";
import type { InferenceInput } from "./served-model.js";

/** Deaths of the process with an input in hand after which it is not run again. One may have been another's fault. */
export const deathsMax = 2;
/** Inputs that are remembered; of more, the one that killed longest ago is forgotten. */
const inputsMax = 1_000;

/** Which inputs end the process that runs them. Kept in memory: a server that is started again tries them again. */
export interface Quarantine {
  /** The process died with this input in hand. */
  died(input: Pick<InferenceInput, "inputs" | "outputs">): void;
  /** Whether it is not to be run any more. */
  holds(input: Pick<InferenceInput, "inputs" | "outputs">): boolean;
}

export function createQuarantine(): Quarantine {
  const deaths = new Map<string, number>();
  return {
    died(input) {
      const hash = hashOf(input);
      const before = deaths.get(hash) ?? 0;
      // The latest goes to the end of the map.
      deaths.delete(hash);
      deaths.set(hash, before + 1);
      if (deaths.size > inputsMax) deaths.delete(deaths.keys().next().value!);
    },
    // As long as nothing has died, which is always but for bad files, nothing is hashed.
    holds: (input) => deaths.size > 0 && (deaths.get(hashOf(input)) ?? 0) >= deathsMax,
  };
}

function hashOf({ inputs, outputs }: Pick<InferenceInput, "inputs" | "outputs">): string {
  const hash = createHash("sha256").update(JSON.stringify(outputs));
  for (const { name, datatype, shape, data } of inputs) {
    hash.update(JSON.stringify([name, datatype, shape.map(String), data.length])).update(data);
  }
  return hash.digest("base64");
}
