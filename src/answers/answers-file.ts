import { parquetReadObjects } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import { bodyColumn, distinct, repeated } from "../capture/columns.js";
import type { Attempt, FailureKind, Observation } from "../upstream/observation.js";

/** Raised when a column changes its meaning; readers take older ones too. */
const fileVersion = "1";

const nothing = new Uint8Array(0);

/** What the candidate answered to one captured request. */
export interface Answer {
  captureId: string;
  observation: Observation;
}

/**
 * A file of answers: Parquet with one row per answer, plain like a segment, so that DuckDB and pandas join the two by
 * `capture_id`. A failure has no `body`, and says its kind in `failure` (empty where the candidate answered).
 */
export function writeAnswers(answers: readonly Answer[]): Buffer {
  const column = <T>(pick: (seen: Observation, captureId: string) => T): T[] =>
    answers.map(({ observation, captureId }) => pick(observation, captureId));
  const bytes = parquetWriteBuffer({
    columnData: [
      { name: "capture_id", type: "STRING", data: column((_, captureId) => captureId), ...distinct },
      { name: "failure", type: "STRING", data: column((seen) => (seen.ok ? "" : seen.failure)), ...repeated },
      // 0: nothing came back that had one.
      { name: "status", type: "INT32", data: column((seen) => seen.status ?? 0), ...repeated },
      {
        name: "headers",
        type: "STRING",
        data: column((seen) => JSON.stringify(seen.ok ? seen.headers : {})),
        ...repeated,
      },
      bodyColumn(
        "body",
        column((seen) => (seen.ok ? seen.body : nothing)),
      ),
      { name: "message", type: "STRING", data: column((seen) => (seen.ok ? "" : seen.message)), ...repeated },
      { name: "latency_ms", type: "DOUBLE", data: column((seen) => seen.latencyMs), ...distinct },
      {
        name: "attempts",
        type: "STRING",
        data: column((seen) => JSON.stringify(seen.attempts)),
        ...distinct,
      },
    ].map((source) => ({ ...source, nullable: false })) as Parameters<
      typeof parquetWriteBuffer
    >[0]["columnData"],
    kvMetadata: [{ key: "understudy.answers", value: fileVersion }],
    createdBy: "understudy",
    rowGroupSize: answers.length,
  });
  return Buffer.from(bytes);
}

interface Row {
  capture_id: string;
  failure: FailureKind | "";
  status: number;
  headers: string;
  body: Uint8Array;
  message: string;
  latency_ms: number;
  attempts: string;
}

/**
 * Reads a file of answers; by capture.
 * @throws Error when the bytes are no such file; callers check the file's SHA-256 first.
 */
export async function readAnswers(bytes: Uint8Array): Promise<Map<string, Observation>> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const rows = (await parquetReadObjects({ file, utf8: false })) as Row[];
  return new Map(rows.map((row) => [row.capture_id, observationOf(row)]));
}

function observationOf(row: Row): Observation {
  const { failure, status, body, message, latency_ms: latencyMs } = row;
  const attempts = JSON.parse(row.attempts) as Attempt[];
  if (failure === "") {
    const headers = JSON.parse(row.headers) as Record<string, string>;
    return { ok: true, status, headers, body, latencyMs, attempts };
  }
  return { ok: false, failure, ...(status === 0 ? {} : { status }), message, latencyMs, attempts };
}
