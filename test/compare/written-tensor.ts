import { parseJson } from "../../src/protocol/json.js";
import { floatToBf16, floatToFp16 } from "../../src/tensor/half.js";
import type { Datatype, Tensor } from "../../src/tensor/tensor.js";
import { tensor, type Value } from "./tensors.js";

/** A tensor as the docs write it: `FP32 [1, NaN]`, `INT8 [[1, 2], [3, 4]]`, `FP64 0.5` for a scalar. */
export function writtenTensor(text: string, name = "y"): Tensor {
  const [, datatype, json] = /^(\w+) (.*)$/.exec(text)! as unknown as [string, Datatype, string];
  const written = parseJson(json) as Value | Value[] | Value[][];
  const shape = shapeOf(written);
  const values = [written].flat(shape.length + 1) as Value[];
  return tensor(datatype, values.map(bits[datatype] ?? ((value) => value)), { shape, name });
}

function shapeOf(written: unknown): number[] {
  return Array.isArray(written) ? [written.length, ...shapeOf(written[0])] : [];
}

const bits: Partial<Record<Datatype, (value: Value) => Value>> = {
  FP16: (value) => floatToFp16(Number(value)),
  BF16: (value) => floatToBf16(Number(value)),
};
