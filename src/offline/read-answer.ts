import { messageOf, UnderstudyError } from "../errors.js";
import { ProtocolError } from "../protocol/error.js";
import type { InferResponse, InferTensor } from "../protocol/infer.js";
import type { Tensor } from "../tensor/tensor.js";
import { FormatError } from "./format-error.js";
import type { Limits } from "./limits.js";
import { readNpy } from "./npy.js";
import { npyMagic } from "./npy-header.js";
import { readNpz } from "./npz.js";
import { printable } from "./printable.js";
import { readFileWithin } from "./read-file.js";
import { readV2Response } from "./v2-response.js";

/** The outputs of a model as a file holds them. */
export interface SavedAnswer {
  /** An .npy file holds one array, and no name for it: it is called `""` here. */
  format: "npy" | "npz" | "v2";
  response: InferResponse;
}

const comparableFiles =
  "These can be compared: NumPy's .npy and .npz, and the bodies of V2 inference responses, JSON or binary.";

/** Every zip file begins so, with its first member or, when it is empty, with its end. */
const zipMagics = [Buffer.from("PK\x03\x04"), Buffer.from("PK\x05\x06")];

/**
 * Reads a file of any of the formats that can be compared; which one it is, its first bytes tell and not its name.
 *
 * @param headerLength for a V2 response, see {@link readV2Response}
 * @throws UnderstudyError `file_unreadable`, whatever the file holds
 */
export async function readAnswer(
  path: string,
  headerLength: number | null,
  limits: Limits,
): Promise<SavedAnswer> {
  try {
    return answerOf(await readFileWithin(path, limits.fileBytesMax), headerLength, limits);
  } catch (error) {
    // Whatever is thrown here was thrown over this file: the user can do something about it.
    const isOther = error instanceof FormatError || error instanceof ProtocolError;
    const excerpt = error instanceof ProtocolError && error.excerpt !== "" ? ` (${error.excerpt})` : "";
    throw new UnderstudyError("file_unreadable", `${printable(path)}: ${messageOf(error)}${excerpt}`, {
      hint: isOther ? comparableFiles : "Name a file that exists and that you may read.",
      cause: error,
    });
  }
}

/** As {@link readAnswer}, of the bytes themselves. */
export function answerOf(file: Buffer, headerLength: number | null, limits: Limits): SavedAnswer {
  if (file.length === 0) throw new FormatError("is empty");
  if (beginsWith(file, npyMagic))
    return { format: "npy", response: named([{ name: "", ...readNpy(file, limits) }]) };
  if (zipMagics.some((magic) => beginsWith(file, magic))) {
    return { format: "npz", response: named(readNpz(file, limits)) };
  }
  if (headerLength === null && !/^\s*\{/.test(file.toString("latin1", 0, 64))) {
    throw new FormatError("is neither .npy nor .npz nor a V2 response");
  }
  return { format: "v2", response: readV2Response(file, headerLength, limits) };
}

function beginsWith(file: Buffer, magic: Buffer): boolean {
  return file.subarray(0, magic.length).equals(magic);
}

function named(tensors: readonly Tensor[]): InferResponse {
  const outputs: InferTensor[] = tensors.map((tensor) => ({ ...tensor, parameters: {} }));
  return { modelName: "", modelVersion: "", parameters: {}, outputs };
}
