import { quoted } from "../protocol/error.js";
import type { Tensor } from "../tensor/tensor.js";
import { FormatError } from "./format-error.js";
import type { Limits } from "./limits.js";
import { readNpy } from "./npy.js";
import { readZip } from "./zip.js";

const suffix = ".npy";

/**
 * Reads an .npz file, a zip of .npy files, compressed or not. Each is an output that has the member's name without
 * `.npy`, as NumPy has it. Throws FormatError.
 */
export function readNpz(file: Buffer, limits: Limits): Tensor[] {
  const names = new Set<string>();
  return readZip(file, limits.inflatedBytesMax).map(({ name: memberName, data }) => {
    const where = `member ${quoted(memberName)}`;
    const name = memberName.slice(0, -suffix.length);
    if (name === "" || !memberName.endsWith(suffix))
      throw new FormatError(`${where}: is not named NAME${suffix}`);
    if (names.has(name)) throw new FormatError(`${where}: there are two of this name`);
    names.add(name);
    try {
      return { name, ...readNpy(data, limits) };
    } catch (error) {
      throw error instanceof FormatError ? new FormatError(`${where}: ${error.message}`) : error;
    }
  });
}
