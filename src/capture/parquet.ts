import { parquetMetadata, parquetRead } from "hyparquet";
import { ByteWriter, type ColumnSource, parquetWrite } from "hyparquet-writer";
import { Scratch } from "../scratch.js";
import { checksum } from "./checksum.js";

/** Of a row, beside its byte arrays, and of a file, beside its rows: as much as there mostly is, and more. */
const expectedBytes = { row: 400, file: 16 * 1024 };

/**
 * Of texts that mostly repeat: a dictionary, without looking first whether one pays. Nobody looks for a smallest or a
 * largest, and what is left is too short to be compressed.
 */
export const repeated = { encoding: "RLE_DICTIONARY", codec: "UNCOMPRESSED", statistics: false } as const;
/** Of values that hardly repeat, and by which nobody looks: a dictionary or a compression would find nothing. */
export const distinct = { encoding: "PLAIN", codec: "UNCOMPRESSED", statistics: false } as const;

/** Where at least this share of bodies repeats an earlier one, a dictionary holds each once. */
const dictionaryShare = 0.5;

/**
 * A column of bodies, not compressed. Equal bodies are made one object: the writer, which hashes byte by byte, then knows
 * them without looking.
 */
export function bodyColumn(name: string, bodies: readonly Uint8Array[]): ColumnSource {
  const kept = new Map<number, Uint8Array>();
  let repeats = 0;
  const data = bodies.map((body) => {
    const sum = checksum(body, 0, body.length);
    const before = kept.get(sum);
    if (before === undefined) kept.set(sum, body);
    if (before === undefined || Buffer.compare(before, body) !== 0) return body;
    repeats += 1;
    return before;
  });
  const plain = repeats < bodies.length * dictionaryShare;
  return {
    name,
    type: "BYTE_ARRAY",
    data,
    codec: "UNCOMPRESSED",
    statistics: false,
    ...(plain && { encoding: "PLAIN" }),
  };
}

/**
 * A Parquet file of one row group, so that what repeats is stored once, and each column costs its head once. No column
 * has nulls. The same rows give the same bytes.
 *
 * @param facts go into its key-value metadata
 * @param memory what it is written into; default: memory of its own
 */
export function writeParquet(
  columns: readonly ColumnSource[],
  facts: Record<string, string>,
  memory: Scratch = new Scratch(0),
): Buffer {
  const rows = columns[0]!.data.length;
  let bytes = expectedBytes.file + rows * expectedBytes.row;
  for (const { type, data } of columns) {
    if (type === "BYTE_ARRAY") for (const { length } of data as Uint8Array[]) bytes += length;
  }
  // A buffer that grows is copied each time, and that costs more than all the rest of a large file.
  const writer = new ByteWriter(0);
  writer.buffer = memory.take(bytes).buffer as ArrayBuffer;
  writer.view = new DataView(writer.buffer);
  parquetWrite({
    writer,
    columnData: columns.map((source) => ({ ...source, nullable: false })),
    kvMetadata: Object.entries(facts).map(([key, value]) => ({ key, value })),
    createdBy: "understudy",
    rowGroupSize: rows,
  });
  return Buffer.from(writer.buffer, 0, writer.index);
}

/**
 * A column of a Parquet file, by its name; where the file lacks it, `otherwise` for each row.
 * @throws Error when there is neither
 */
export type Columns = <T>(name: string, otherwise?: T) => readonly T[];

/**
 * The columns of a Parquet file. BYTE_ARRAYs are bytes, strings are text: the same object where a dictionary has them.
 * @throws Error when the bytes are no such file
 */
export async function readParquet(bytes: Uint8Array): Promise<Columns> {
  const columns = new Map<string, unknown[]>();
  await parquetRead({
    file: fileOf(bytes),
    // Leaves BYTE_ARRAY columns as bytes; STRING columns are text all the same.
    utf8: false,
    onChunk: ({ columnName, columnData, rowStart }) => {
      const column = columns.get(columnName) ?? [];
      columns.set(columnName, column);
      for (let i = 0; i < columnData.length; i++) column[rowStart + i] = columnData[i];
    },
  });
  const rows = columns.values().next().value?.length ?? 0;
  return <T>(name: string, otherwise?: T) => {
    const values = columns.get(name) as T[] | undefined;
    if (values !== undefined) return values;
    if (otherwise === undefined) throw new Error(`it has no column ${name}`);
    return new Array<T>(rows).fill(otherwise);
  };
}

/** The key-value metadata of a Parquet file. */
export function readFacts(bytes: Uint8Array): Record<string, string> {
  const { key_value_metadata: facts = [] } = parquetMetadata(fileOf(bytes));
  return Object.fromEntries(facts.map(({ key, value }) => [key, value ?? ""]));
}

function fileOf({ buffer, byteOffset, byteLength }: Uint8Array): ArrayBuffer {
  const alone = byteLength === buffer.byteLength;
  return (alone ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)) as ArrayBuffer;
}
