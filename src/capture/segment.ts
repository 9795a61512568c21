import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { type ColumnSource, parquetWriteBuffer } from "hyparquet-writer";
import type { Capture, Sample } from "./capture.js";
import { bodyColumn, distinct, repeated } from "./columns.js";

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
 */
export function writeSegment(
  captures: readonly WrittenCapture[],
  about: Record<string, string> = {},
): Buffer {
  const column = <T>(pick: (capture: WrittenCapture) => T): T[] => captures.map(pick);
  const text = (name: string, pick: (capture: WrittenCapture) => string): ColumnSource => ({
    ...{ name, type: "STRING", data: column(pick) },
    ...repeated,
  });
  const bytes = parquetWriteBuffer({
    columnData: [
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
      text("request_headers", (c) => JSON.stringify(c.requestHeaders)),
      bodyColumn(
        "request_body",
        column((c) => c.requestBody),
      ),
      { name: "status", type: "INT32", data: column((c) => c.status) },
      text("response_headers", (c) => JSON.stringify(c.responseHeaders)),
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
      { name: "tags", type: "STRING", data: column((c) => JSON.stringify(c.tags)), statistics: false },
      text("redacted", (c) => JSON.stringify(c.redacted)),
      text("subject", (c) => c.subject ?? ""),
      text("request_body_sha256", (c) => c.requestBodySha256 ?? ""),
      text("response_body_sha256", (c) => c.responseBodySha256 ?? ""),
    ].map((source) => ({ ...source, nullable: false })) as Parameters<
      typeof parquetWriteBuffer
    >[0]["columnData"],
    kvMetadata: Object.entries({ "understudy.segment": segmentVersion, ...about }).map(([key, value]) => ({
      key,
      value,
    })),
    createdBy: "understudy",
    // One: what repeats is stored once, and each column costs its head once.
    rowGroupSize: captures.length,
  });
  return Buffer.from(bytes);
}

interface Row {
  id: string;
  sequence: bigint;
  deployment_id: number;
  received_at: Date;
  transport: "http";
  method: string;
  path: string;
  request_headers: string;
  request_body: Uint8Array;
  status: number;
  response_headers: string;
  response_body: Uint8Array;
  primary_ms: number;
  primary_version: string;
  sample: Sample;
  /** Not in segments written before there were rules. */
  rule?: string;
  /** Empty: of no sequence. */
  sequence_key?: string;
  sequence_position?: number;
  tags: string;
  // From here on: not in segments of version 1.
  redacted?: string;
  /** Empty: none. The digests too. */
  subject?: string;
  request_body_sha256?: string;
  response_body_sha256?: string;
}

/**
 * Reads the captures of a segment, in the order of its rows; `withBodies` fetches what lies outside of it.
 * @throws Error when the bytes are no segment; callers check the segment's SHA-256 first.
 */
export async function readSegment(bytes: Uint8Array): Promise<StoredCapture[]> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  // utf8: false leaves BYTE_ARRAY columns as bytes; STRING columns are text all the same.
  const rows = (await parquetReadObjects({ file, utf8: false })) as Row[];
  return rows.map((row) => ({
    id: row.id,
    sequence: Number(row.sequence),
    deploymentId: row.deployment_id,
    receivedAtMs: row.received_at.getTime(),
    transport: row.transport,
    method: row.method,
    path: row.path,
    requestHeaders: JSON.parse(row.request_headers) as Record<string, string>,
    requestBody: row.request_body,
    status: row.status,
    responseHeaders: JSON.parse(row.response_headers) as Record<string, string>,
    responseBody: row.response_body,
    primaryMs: row.primary_ms,
    primaryVersion: row.primary_version,
    sample: row.sample,
    rule: row.rule ?? "",
    sequencePlace: row.sequence_key ? { key: row.sequence_key, position: row.sequence_position ?? 0 } : null,
    tags: JSON.parse(row.tags) as Record<string, string>,
    redacted: JSON.parse(row.redacted ?? "[]") as string[],
    subject: row.subject || null,
    requestBodySha256: row.request_body_sha256 || null,
    responseBodySha256: row.response_body_sha256 || null,
  }));
}

/** The facts of the whole file that {@link writeSegment} was given. */
export function segmentAbout(bytes: Uint8Array): Record<string, string> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const { key_value_metadata: facts = [] } = parquetMetadata(file);
  return Object.fromEntries(
    facts.flatMap(({ key, value }) => (key === "understudy.segment" ? [] : [[key, value ?? ""]])),
  );
}
