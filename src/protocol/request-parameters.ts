import type { InferRequest } from "./infer.js";
import { isInSharedMemory } from "./tensor-codec.js";

/** Whether any input or requested output lies in shared memory: such a request holds only names of regions. */
export function usesSharedMemory(request: InferRequest): boolean {
  return [...request.inputs, ...request.outputs].some(({ parameters }) => isInSharedMemory(parameters));
}

/** The sequence that a request belongs to, as text; null for none (Triton's 0 and "" are none). */
export function sequenceId(request: InferRequest): string | null {
  const id = request.parameters.sequence_id;
  if (typeof id === "number" || typeof id === "bigint") return Number(id) === 0 ? null : id.toString();
  return typeof id === "string" && id !== "" ? id : null;
}

/** Whether the client wants this output in binary: its own `binary_data`, else the request's `binary_data_output`. */
export function wantsBinary(request: InferRequest, outputName: string): boolean {
  const own = request.outputs.find(({ name }) => name === outputName)?.parameters.binary_data;
  return (own ?? request.parameters.binary_data_output) === true;
}
