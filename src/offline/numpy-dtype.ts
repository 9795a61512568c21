import { quoted } from "../protocol/error.js";
import type { Datatype } from "../tensor/tensor.js";
import { FormatError } from "./format-error.js";

/** How the elements of an array lie in an .npy file. */
export type NumpyDtype = {
  /** Bytes of one element. */
  itemBytes: number;
  /** Bytes of what the byte order applies to: a number, or a character of text. */
  unitBytes: 1 | 2 | 4 | 8;
  isBigEndian: boolean;
} & ({ kind: "numbers"; datatype: Exclude<Datatype, "BYTES" | "BF16"> } | { kind: "bytes" | "text" });

const numbers = {
  b1: { datatype: "BOOL", itemBytes: 1 },
  u1: { datatype: "UINT8", itemBytes: 1 },
  u2: { datatype: "UINT16", itemBytes: 2 },
  u4: { datatype: "UINT32", itemBytes: 4 },
  u8: { datatype: "UINT64", itemBytes: 8 },
  i1: { datatype: "INT8", itemBytes: 1 },
  i2: { datatype: "INT16", itemBytes: 2 },
  i4: { datatype: "INT32", itemBytes: 4 },
  i8: { datatype: "INT64", itemBytes: 8 },
  f2: { datatype: "FP16", itemBytes: 2 },
  f4: { datatype: "FP32", itemBytes: 4 },
  f8: { datatype: "FP64", itemBytes: 8 },
} as const;

const supported = "bool, int8 to int64, uint8 to uint64, float16 to float64, and strings (S, U)";

/** Reads NumPy's notation of a dtype, as `<f4`, `|S10` or `>U3`. Throws FormatError for what V2 has no datatype for. */
export function numpyDtype(descr: string): NumpyDtype {
  const [, order = "", type = "", kind, size = ""] = /^([<>=|]?)(([A-Za-z])(\d{0,9}))/.exec(descr) ?? [];
  const isBigEndian = order === ">";
  const isWhole = descr.length === (order + type).length && size !== "";
  if (isWhole && Object.hasOwn(numbers, type)) {
    const { datatype, itemBytes } = numbers[type as keyof typeof numbers];
    return { kind: "numbers", datatype, itemBytes, unitBytes: itemBytes, isBigEndian };
  }
  if (isWhole && kind === "S") return { kind: "bytes", itemBytes: Number(size), unitBytes: 1, isBigEndian };
  if (isWhole && kind === "U")
    return { kind: "text", itemBytes: 4 * Number(size), unitBytes: 4, isBigEndian };
  if (kind === "O") {
    throw new FormatError(
      "holds pickled Python objects, which are never loaded: save it as an array of numbers",
    );
  }
  const bfloat16 = kind === "V" && size === "2" ? "; if it is bfloat16, save it as float32" : "";
  throw new FormatError(`holds dtype ${quoted(descr)}; what can be compared is ${supported}${bfloat16}`);
}
