import { shaped } from "../protocol/error.js";
import { elementCount } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { FormatError } from "./format-error.js";
import type { Limits } from "./limits.js";
import { readNpyHeader } from "./npy-header.js";
import { numpyDtype } from "./numpy-dtype.js";
import { stringElements } from "./numpy-strings.js";
import { rowMajor } from "./row-major.js";

/** An array as a file holds it, without a name. */
export type UnnamedTensor = Omit<Tensor, "name">;

/**
 * Reads an .npy file: any version, byte order and memory order, and every dtype that V2 has a datatype for; `S` and
 * `U` become BYTES. Shares the file's memory where its bytes are already as on the wire. Throws FormatError.
 */
export function readNpy(file: Buffer, limits: Limits): UnnamedTensor {
  const { descr, fortranOrder, shape, dataStart } = readNpyHeader(file);
  const dtype = numpyDtype(descr);
  const { itemBytes, unitBytes, isBigEndian } = dtype;
  const count = elementCount(shape);
  const found = file.length - dataStart;
  if (count * itemBytes !== found) {
    throw new FormatError(
      `must have ${count * itemBytes} bytes of data for dtype ${descr} of shape ${shaped(shape)}, found ${found}`,
    );
  }
  const stored = file.subarray(dataStart);
  const ordered = fortranOrder ? rowMajor(stored, shape, itemBytes) : stored;
  const data = isBigEndian ? swapped(ordered, unitBytes) : ordered;
  if (dtype.kind === "numbers") return { datatype: dtype.datatype, shape, data };
  checkTextElements(count, limits);
  return { datatype: "BYTES", shape, data: stringElements(dtype.kind, data, count, itemBytes) };
}

/** Throws FormatError when a tensor of strings has more elements than can be held. */
export function checkTextElements(count: number, { textElementsMax }: Limits): void {
  if (count <= textElementsMax) return;
  throw new FormatError(`has ${count} strings in one array; ${textElementsMax} at most can be compared`);
}

function swapped(data: Buffer, unitBytes: 1 | 2 | 4 | 8): Buffer {
  const copy = Buffer.from(data);
  switch (unitBytes) {
    case 1:
      return copy;
    case 2:
      return copy.swap16();
    case 4:
      return copy.swap32();
    case 8:
      return copy.swap64();
  }
}
