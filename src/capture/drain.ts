import { minuteOf } from "../ids.js";
import type { Redactor } from "../redaction/redactor.js";
import type { Account } from "./account.js";
import type { DropReason } from "./capture.js";
import { readCut, type ServedCut } from "./cut.js";
import { deploymentOf, encodeRecord, readRecord, receivedAtOf, stampRecord } from "./record.js";
import type { DeploymentRedactor } from "./redactors.js";
import { type RingConsumer, recordKind } from "./ring.js";
import type { Spool, SpoolBatch } from "./spool.js";
import { dayNumberOf } from "./spool-file.js";

/** Work done at a stretch, so that shipping gets its turns and the reservation is looked after. */
const stretchBytes = 4 * 1024 ** 2;

/** Records of one deployment and day that lie next to each other in the ring: one write. */
interface Batch {
  deploymentId: number;
  atMs: number;
  dayNumber: number;
  from: number;
  to: number;
  minutes: Map<number, number>;
}

export interface Drain {
  /** Moves a stretch of what lies in the ring to the spool. False: the ring was left empty. */
  run(): boolean;
}

/**
 * Moves exchanges from the ring to the spool, and counts each as spooled or dropped: byte for byte where nothing is to
 * be redacted; else redacted first, since nothing unredacted may reach a disk.
 */
export function createDrain(deps: {
  ring: RingConsumer;
  spool: Spool;
  account: Account;
  /** Number of the cut that will cover what is spooled now. */
  nextCut: () => number;
  onCut: (cut: ServedCut) => void;
  /** Whether the quota allows that many more bytes. */
  hasRoom: (bytes: number) => boolean;
  redactorOf: (deploymentId: number) => DeploymentRedactor;
  /** Told why an exchange could not be redacted. */
  onRedactionError: (error: unknown) => void;
  onSpoolError: (error: unknown) => void;
}): Drain {
  const { ring, spool, account, nextCut, onCut, hasRoom, onSpoolError, redactorOf, onRedactionError } = deps;

  function append(batch: SpoolBatch): void {
    const { deploymentId, minutes, bytes } = batch;
    const drop = (reason: DropReason) => account.dropped(deploymentId, minutes, reason);
    if (!hasRoom(bytes.length)) {
      drop("spool_full");
      return;
    }
    try {
      spool.append(batch, nextCut());
      account.spooled(deploymentId, minutes);
    } catch (error) {
      drop("spool_error");
      onSpoolError(error);
    }
  }

  function flush({ deploymentId, atMs, minutes, from, to }: Batch): void {
    append({ deploymentId, atMs, minutes, bytes: ring.data.subarray(from, to) });
  }

  /** Appends the record redacted, or nothing of it. */
  function appendRedacted(at: number, size: number, redactor: Exclude<DeploymentRedactor, null>): void {
    const deploymentId = deploymentOf(ring.data, at);
    const atMs = receivedAtOf(ring.data, at);
    const minutes = new Map([[minuteOf(atMs), 1]]);
    let bytes: Buffer;
    try {
      if (redactor === "unknown") throw new Error("what to redact of this deployment is not known");
      bytes = redactedRecord(ring.data.subarray(at, at + size), redactor);
    } catch (error) {
      account.dropped(deploymentId, minutes, "redaction");
      onRedactionError(error);
      return;
    }
    stampRecord(bytes, 0, bytes.length, nextCut());
    append({ deploymentId, atMs, minutes, bytes });
  }

  return {
    run() {
      let batch: Batch | null = null;
      let bytes = 0;
      while (bytes < stretchBytes) {
        const record = ring.next();
        if (record === null) break;
        const { at, size } = record;
        bytes += size;
        if (record.kind === recordKind.cut) {
          if (batch) flush(batch);
          batch = null;
          onCut(readCut(ring.data, at));
          continue;
        }
        const deploymentId = deploymentOf(ring.data, at);
        const redactor = redactorOf(deploymentId);
        if (redactor !== null) {
          if (batch) flush(batch);
          batch = null;
          appendRedacted(at, size, redactor);
          continue;
        }
        stampRecord(ring.data, at, size, nextCut());
        const atMs = receivedAtOf(ring.data, at);
        const dayNumber = dayNumberOf(atMs);
        const joins =
          batch !== null &&
          batch.to === at &&
          batch.deploymentId === deploymentId &&
          batch.dayNumber === dayNumber;
        if (!joins) {
          if (batch) flush(batch);
          batch = { deploymentId, atMs, dayNumber, from: at, to: at, minutes: new Map() };
        }
        const minuteMs = minuteOf(atMs);
        batch!.to = at + size;
        batch!.minutes.set(minuteMs, (batch!.minutes.get(minuteMs) ?? 0) + 1);
      }
      if (batch) flush(batch);
      ring.release();
      return bytes >= stretchBytes;
    },
  };
}

/** @throws what the redactor throws */
function redactedRecord(data: Buffer, redactor: Redactor): Buffer {
  // Out of the shared memory first: parsing needs bytes that nothing else can reach.
  const record = readRecord(Buffer.from(data), 0);
  const { path, status, requestHeaders, requestBody, responseHeaders, responseBody } = record;
  const redacted = redactor.exchange({
    path,
    status,
    request: { headers: requestHeaders, body: requestBody },
    response: { headers: responseHeaders, body: responseBody },
  });
  const { request, response } = redacted;
  const seen = {
    ...record,
    path: redacted.path,
    requestHeaders: request.headers,
    requestChunks: [request.body],
    requestBytes: request.body.length,
    responseHeaders: response.headers,
    responseChunks: [response.body],
    responseBytes: response.body.length,
  };
  return encodeRecord(seen, { redacted: redacted.redacted, subject: redacted.subject });
}
