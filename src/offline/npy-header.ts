import { described, ProtocolError } from "../protocol/error.js";
import { isRecord } from "../protocol/fields.js";
import { parseJson } from "../protocol/json.js";
import { FormatError } from "./format-error.js";

/** What stands before an array's data. */
export interface NpyHeader {
  /** The dtype in NumPy's own notation, as `<f4`. */
  descr: string;
  fortranOrder: boolean;
  shape: number[];
  /** Where the data begins, in bytes. */
  dataStart: number;
}

/** The first bytes of every .npy file. */
export const npyMagic = Buffer.from("\x93NUMPY", "latin1");

/** What dtypes that can be compared need is far less; NumPy itself refuses more than 10,000. */
const headerBytesMax = 65_535;
/** As many dimensions as NumPy and the protocol know. */
const rankMax = 64;

/**
 * Reads the header of an .npy file of version 1, 2 or 3: magic, version, length, and a Python dict of `descr`,
 * `fortran_order` and `shape`. Throws FormatError.
 *
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function readNpyHeader(file: Buffer): NpyHeader {
  if (!file.subarray(0, npyMagic.length).equals(npyMagic)) throw new FormatError("is not an .npy file");
  const [major, minor] = file.subarray(npyMagic.length);
  if (major === undefined || minor !== 0 || major < 1 || major > 3) {
    throw new FormatError(`is .npy of version ${major}.${minor}; 1.0, 2.0 and 3.0 can be read`);
  }
  const start = major === 1 ? 10 : 12;
  if (file.length < start) throw new FormatError("ends within the .npy header");
  const length = major === 1 ? file.readUInt16LE(8) : file.readUInt32LE(8);
  if (length > headerBytesMax) {
    throw new FormatError(`has an .npy header of ${length} bytes; ${headerBytesMax} at most are read`);
  }
  const dataStart = start + length;
  if (file.length < dataStart) throw new FormatError("ends within the .npy header");
  return { ...fieldsOf(file.toString("latin1", start, dataStart)), dataStart };
}

function fieldsOf(text: string): Omit<NpyHeader, "dataStart"> {
  const header = parseLiteral(text);
  if (!isRecord(header)) throw new FormatError("has an .npy header that is not a Python dict");
  const { descr, fortran_order: fortranOrder, shape } = header;
  if (Array.isArray(descr))
    throw new FormatError("holds a structured array; only plain dtypes can be compared");
  if (typeof descr !== "string") {
    throw new FormatError(`has an .npy header whose "descr" must be a string, found ${described(descr)}`);
  }
  if (typeof fortranOrder !== "boolean") {
    throw new FormatError(
      `has an .npy header whose "fortran_order" must be True or False, found ${described(fortranOrder)}`,
    );
  }
  if (!Array.isArray(shape) || shape.length > rankMax || !shape.every(Number.isSafeInteger)) {
    throw new FormatError(
      `has an .npy header whose "shape" must be up to ${rankMax} whole numbers, found ${described(shape)}`,
    );
  }
  return { descr, fortranOrder, shape };
}

/** The tokens of such literals; a comma before a closing bracket counts for nothing. No strings with escapes. */
const tokens =
  /\s*(?:(?<text>'[^'\\]*'|"[^"\\]*")|(?<integer>\d+)L?|(?<word>True|False|None)|(?<trailing>,(?=\s*[)\]}]))|(?<sign>[()[\]{}:,]))/gy;

const jsonOf: Readonly<Record<string, string>> = {
  True: "true",
  False: "false",
  None: "null",
  "(": "[",
  ")": "]",
};

/** A Python literal is JSON in other words: it is said in JSON's, token by token, and left to the JSON parser. */
function parseLiteral(text: string): unknown {
  let json = "";
  let end = 0;
  for (const match of text.matchAll(tokens)) {
    const { text: quoted, integer, word, sign } = match.groups!;
    if (quoted !== undefined) json += JSON.stringify(quoted.slice(1, -1));
    else json += integer ?? jsonOf[word ?? sign ?? ""] ?? sign ?? "";
    end = match.index + match[0].length;
  }
  try {
    if (text.slice(end).trim() === "") return parseJson(json);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
  throw new FormatError("has an .npy header that is not a Python literal");
}
