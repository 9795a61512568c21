import { bodyColumn, distinct, readParquet, repeated, writeParquet } from "../capture/parquet.js";
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
  const headersText = jsonTexts();
  const column = <T>(pick: (seen: Observation, captureId: string) => T): T[] =>
    answers.map(({ observation, captureId }) => pick(observation, captureId));
  return writeParquet(
    [
      { name: "capture_id", type: "STRING", data: column((_, captureId) => captureId), ...distinct },
      { name: "failure", type: "STRING", data: column((seen) => (seen.ok ? "" : seen.failure)), ...repeated },
      // 0: nothing came back that had one.
      { name: "status", type: "INT32", data: column((seen) => seen.status ?? 0), ...repeated },
      {
        name: "headers",
        type: "STRING",
        data: column((seen) => headersText(seen.ok ? seen.headers : none)),
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
    ],
    { "understudy.answers": fileVersion },
  );
}

const none = {};

/** JSON, written once for values that come one behind the other: answers of one connection share their headers. */
function jsonTexts(): (value: object) => string {
  let newest: object | null = null;
  let text = "";
  return (value) => {
    if (value !== newest) text = JSON.stringify(value);
    newest = value;
    return text;
  };
}

/**
 * Reads a file of answers; by capture.
 * @throws Error when the bytes are no such file; callers check the file's SHA-256 first.
 */
export async function readAnswers(bytes: Uint8Array): Promise<Map<string, Observation>> {
  const column = await readParquet(bytes);
  const failure = column<FailureKind | "">("failure");
  const status = column<number>("status");
  const headers = column<string>("headers");
  const body = column<Uint8Array>("body");
  const message = column<string>("message");
  const latency = column<number>("latency_ms");
  const tried = column<string>("attempts");
  const observed = (row: number): Observation => {
    const common = { latencyMs: latency[row]!, attempts: JSON.parse(tried[row]!) as Attempt[] };
    const kind = failure[row]!;
    if (kind === "") {
      const said = JSON.parse(headers[row]!) as Record<string, string>;
      return { ok: true, status: status[row]!, headers: said, body: body[row]!, ...common };
    }
    const came = status[row] === 0 ? {} : { status: status[row]! };
    return { ok: false, failure: kind, ...came, message: message[row]!, ...common };
  };
  return new Map(column<string>("capture_id").map((captureId, row) => [captureId, observed(row)]));
}
