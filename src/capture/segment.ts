import type { ColumnSource } from "hyparquet-writer";
import type { Scratch } from "../scratch.js";
import type { Capture, Sample } from "./capture.js";
import { bodyColumn, distinct, readFacts, readParquet, repeated, writeParquet } from "./parquet.js";

/** Raised when a column changes its meaning; readers take older ones too. */
const segmentVersion = "2";

/**
 * A capture as a segment holds it: a body that is stored apart is empty here, and named by its SHA-256 (see
 * `bodies.ts`).
 */
export type StoredCapture = Capture & BodyReferences;

interface BodyReferences {
  requestBodySha256: string | null;
  responseBodySha256: string | null;
}

/** One that says nothing of references has its bodies itself. */
type WrittenCapture = Capture & Partial<BodyReferences>;

/**
 * A segment's file, as `docs/segments.md` describes it: Parquet with one row per capture, in the order given. Names and tags are JSON text, bodies are
 * BYTE_ARRAY, times are timestamps, so DuckDB and pandas read it without us.
 *
 * Bodies are not compressed: it would cost more than all the rest of capturing, next to the serving thread.
 *
 * The same captures always give the same bytes: shipping twice, after a crash, overwrites a blob with itself.
 * @param about facts of the whole file, kept in its key-value metadata
 * @param memory what the file is written into; default: memory of its own
 */
export function writeSegment(
  captures: readonly WrittenCapture[],
  about: Record<string, string> = {},
  memory?: Scratch,
): Buffer {
  const column = <T>(pick: (capture: WrittenCapture) => T): T[] => captures.map(pick);
  const text = (name: string, pick: (capture: WrittenCapture) => string): ColumnSource => ({
    ...{ name, type: "STRING", data: column(pick) },
    ...repeated,
  });
  const columns: ColumnSource[] = [
    { name: "id", type: "STRING", data: column((c) => c.id), ...distinct },
    { name: "sequence", type: "INT64", data: column((c) => BigInt(c.sequence)), ...distinct },
    { name: "deployment_id", type: "INT32", data: column((c) => c.deploymentId), ...repeated },
    {
      name: "received_at",
      type: "TIMESTAMP",
      data: column((c) => new Date(c.receivedAtMs)),
      encoding: "PLAIN",
    },
    text("transport", (c) => c.transport),
    text("method", (c) => c.method),
    text("path", (c) => c.path),
    text(
      "request_headers",
      jsonOf((c) => c.requestHeaders),
    ),
    bodyColumn(
      "request_body",
      column((c) => c.requestBody),
    ),
    { name: "status", type: "INT32", data: column((c) => c.status) },
    text(
      "response_headers",
      jsonOf((c) => c.responseHeaders),
    ),
    bodyColumn(
      "response_body",
      column((c) => c.responseBody),
    ),
    { name: "primary_ms", type: "DOUBLE", data: column((c) => c.primaryMs), ...distinct },
    text("primary_version", (c) => c.primaryVersion),
    text("sample", (c) => c.sample),
    text("rule", (c) => c.rule),
    text("sequence_key", (c) => c.sequencePlace?.key ?? ""),
    {
      name: "sequence_position",
      type: "INT32",
      data: column((c) => c.sequencePlace?.position ?? 0),
      ...repeated,
    },
    // Ids of single requests among them: whether they repeat is looked at.
    { name: "tags", type: "STRING", data: column(jsonOf((c) => c.tags)), statistics: false },
    text("redacted", (c) => JSON.stringify(c.redacted)),
    text("subject", (c) => c.subject ?? ""),
    text("request_body_sha256", (c) => c.requestBodySha256 ?? ""),
    text("response_body_sha256", (c) => c.responseBodySha256 ?? ""),
  ];
  return writeParquet(columns, { "understudy.segment": segmentVersion, ...about }, memory);
}

/**
 * Reads the captures of a segment, in the order of its rows; `withBodies` fetches what lies outside of it.
 * @throws Error when the bytes are no segment; callers check the segment's SHA-256 first.
 */
export async function readSegment(bytes: Uint8Array): Promise<StoredCapture[]> {
  const column = await readParquet(bytes);
  const sequence = column<bigint>("sequence");
  const deploymentId = column<number>("deployment_id");
  const receivedAt = column<Date>("received_at");
  const transport = column<Capture["transport"]>("transport");
  const method = column<string>("method");
  const path = column<string>("path");
  const requestHeaders = parsed<Record<string, string>>(column("request_headers"));
  const requestBody = column<Uint8Array>("request_body");
  const status = column<number>("status");
  const responseHeaders = parsed<Record<string, string>>(column("response_headers"));
  const responseBody = column<Uint8Array>("response_body");
  const primaryMs = column<number>("primary_ms");
  const primaryVersion = column<string>("primary_version");
  const sample = column<Sample>("sample");
  const tags = parsed<Record<string, string>>(column("tags"));
  // Not in segments that were written before there were rules, or sequences.
  const rule = column("rule", "");
  const sequenceKey = column("sequence_key", "");
  const sequencePosition = column("sequence_position", 0);
  // Not in segments of version 1.
  const redacted = parsed<string[]>(column("redacted", "[]"));
  const subject = column("subject", "");
  const requestBodySha256 = column("request_body_sha256", "");
  const responseBodySha256 = column("response_body_sha256", "");
  return column<string>("id").map((id, row) => ({
    id,
    sequence: Number(sequence[row]),
    deploymentId: deploymentId[row]!,
    receivedAtMs: receivedAt[row]!.getTime(),
    transport: transport[row]!,
    method: method[row]!,
    path: path[row]!,
    requestHeaders: requestHeaders[row]!,
    requestBody: requestBody[row]!,
    status: status[row]!,
    responseHeaders: responseHeaders[row]!,
    responseBody: responseBody[row]!,
    primaryMs: primaryMs[row]!,
    primaryVersion: primaryVersion[row]!,
    sample: sample[row]!,
    rule: rule[row]!,
    sequencePlace: sequenceKey[row] ? { key: sequenceKey[row], position: sequencePosition[row]! } : null,
    tags: tags[row]!,
    redacted: redacted[row]!,
    subject: subject[row] || null,
    requestBodySha256: requestBodySha256[row] || null,
    responseBodySha256: responseBodySha256[row] || null,
  }));
}

/** Makes JSON of something in each capture, once where it is one object: that of headers that were the same is. */
function jsonOf(pick: (capture: WrittenCapture) => object): (capture: WrittenCapture) => string {
  const texts = new Map<object, string>();
  return (capture) => {
    const value = pick(capture);
    let text = texts.get(value);
    if (text === undefined) {
      text = JSON.stringify(value);
      texts.set(value, text);
    }
    return text;
  };
}

/** Of JSON texts, most of which say the same, what each says: one value for all that do. */
function parsed<T>(texts: readonly string[]): readonly T[] {
  const values = new Map<string, T>();
  return texts.map((text) => {
    let value = values.get(text);
    if (value === undefined) {
      value = JSON.parse(text) as T;
      values.set(text, value);
    }
    return value;
  });
}

/** The facts of the whole file that {@link writeSegment} was given. */
export function segmentAbout(bytes: Uint8Array): Record<string, string> {
  const { "understudy.segment": _, ...about } = readFacts(bytes);
  return about;
}
