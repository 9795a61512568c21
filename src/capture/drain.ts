import { minuteOf } from "../ids.js";
import type { Redactor } from "../redaction/redactor.js";
import type { Account } from "./account.js";
import type { DropReason } from "./capture.js";
import type { Checksum } from "./checksum.js";
import { readCut, type ServedCut } from "./cut.js";
import {
  createStamp,
  deploymentOf,
  encodeRecord,
  headerPairs,
  isLeftOut,
  type RecordMarks,
  readRecord,
  receivedAtOf,
  type SeenExchange,
  type StoredRecord,
} from "./record.js";
import type { DeploymentRedactor } from "./redactors.js";
import { type RingConsumer, recordKind } from "./ring.js";
import { createSequenceHold, type HeldStep, sequenceIsSampled } from "./sequence-hold.js";
import { sequenceStepOf } from "./sequence-step.js";
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
  /** Nothing was taken since the newest cut. */
  readonly clean: boolean;
  /** Gives up sequences that were idle for too long. True: it did. */
  sweepSequences(): boolean;
  /** Gives up every sequence that is not whole, and from now on each at its start. */
  endSequences(): void;
}

/**
 * Moves exchanges from the ring to the spool, and counts each as spooled or dropped: byte for byte where nothing is to
 * be redacted; else redacted first, since nothing unredacted may reach a disk.
 */
export function createDrain(deps: {
  ring: RingConsumer;
  /** Reads the ring's memory where it lies. */
  checksum: Checksum;
  spool: Spool;
  account: Account;
  /** Number of the cut that will cover what is spooled now. */
  nextCut: () => number;
  onCut: (cut: ServedCut) => void;
  /** Whether the quota allows that many more bytes. */
  hasRoom: (bytes: number) => boolean;
  redactorOf: (deploymentId: number) => DeploymentRedactor;
  /** Whether capture is known to be switched off, whatever it was when a request arrived. */
  isOff: (deploymentId: number) => boolean;
  /** Share of the sequences of a deployment that is captured; null: none is, they are not looked for. */
  sequenceRateOf: (deploymentId: number) => number | null;
  /** Most bytes of a body once its content coding is removed. */
  bodyBytesMax: number;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Told why an exchange could not be redacted. */
  onRedactionError: (error: unknown) => void;
  onSpoolError: (error: unknown) => void;
}): Drain {
  const { ring, spool, account, nextCut, onCut, hasRoom, onSpoolError, redactorOf, onRedactionError } = deps;
  const { isOff, sequenceRateOf, bodyBytesMax, clock } = deps;
  const stamp = createStamp(deps.checksum);
  let clean = true;
  const hold = createSequenceHold<Unwritten>({
    clock,
    sinks: {
      whole: appendSequence,
      held: (deploymentId, atMs, change) => account.held(deploymentId, minuteOf(atMs), change),
      incomplete: (deploymentId, atMs) =>
        account.notEligible(deploymentId, minuteOf(atMs), "sequence_incomplete"),
    },
  });

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
    stamp(bytes, 0, bytes.length, nextCut());
    append({ deploymentId, atMs, minutes, bytes });
  }

  /** Deals with a record that is a step of a sequence. False: it is of none. */
  function takeStep(at: number, size: number, sampleRate: number, redactor: DeploymentRedactor): boolean {
    // Out of the shared memory first: parsing needs bytes that nothing else can reach.
    const record = readRecord(Buffer.from(ring.data.subarray(at, at + size)), 0);
    const { deploymentId, receivedAtMs: atMs } = record;
    const step = sequenceStepOf(record, bodyBytesMax);
    if (step === null) return false;
    if (step === "hidden") {
      hold.gap(deploymentId);
      return false;
    }
    if (!sequenceIsSampled(deploymentId, step.id, sampleRate)) {
      account.sampledOut(deploymentId, minuteOf(atMs));
      return true;
    }
    try {
      if (redactor === "unknown") throw new Error("what to redact of this deployment is not known");
      const payload = redactor === null ? plain(record) : redacted(record, redactor);
      hold.offer(deploymentId, step, { payload, bytes: size, atMs, gaps: record.gaps ?? Number.NaN });
    } catch (error) {
      account.dropped(deploymentId, new Map([[minuteOf(atMs), 1]]), "redaction");
      hold.gap(deploymentId);
      onRedactionError(error);
    }
    return true;
  }

  /** Writes a whole sequence at once, so that it lies in one file, and by that in one segment. */
  function appendSequence(deploymentId: number, steps: readonly HeldStep<Unwritten>[]): void {
    const minutes = new Map<number, number>();
    const records = steps.map(({ payload: { seen, marks }, atMs, place }) => {
      minutes.set(minuteOf(atMs), (minutes.get(minuteOf(atMs)) ?? 0) + 1);
      const record = encodeRecord({ ...seen, sample: "base", rule: "" }, { ...marks, sequencePlace: place });
      stamp(record, 0, record.length, nextCut());
      return record;
    });
    append({ deploymentId, atMs: steps[0]!.atMs, minutes, bytes: Buffer.concat(records) });
  }
  return {
    get clean() {
      return clean;
    },
    sweepSequences: hold.sweep,
    endSequences: hold.end,

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
          clean = true;
          onCut(readCut(ring.data, at));
          continue;
        }
        const deploymentId = deploymentOf(ring.data, at);
        clean = false;
        if (isOff(deploymentId)) {
          account.dropped(deploymentId, new Map([[minuteOf(receivedAtOf(ring.data, at)), 1]]), "capture_off");
          hold.gap(deploymentId);
          continue;
        }
        const redactor = redactorOf(deploymentId);
        const sampled = sequenceRateOf(deploymentId);
        const leftOut = isLeftOut(ring.data, at);
        if (redactor !== null || sampled !== null || leftOut) {
          if (batch) flush(batch);
          batch = null;
          const inSequence = sampled !== null && takeStep(at, size, sampled, redactor);
          if (inSequence) continue;
          if (leftOut) {
            account.sampledOut(deploymentId, minuteOf(receivedAtOf(ring.data, at)));
            continue;
          }
          if (redactor !== null) {
            appendRedacted(at, size, redactor);
            continue;
          }
        }
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
        // Behind the write of what lay elsewhere: a large record is still in the processor's cache when its own turn comes.
        stamp(ring.data, at, size, nextCut());
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

/** An exchange that is still to be made a record. */
export interface Unwritten {
  seen: SeenExchange;
  marks: RecordMarks;
}

/** @throws what the redactor throws */
function redactedRecord(data: Buffer, redactor: Redactor): Buffer {
  // Out of the shared memory first: parsing needs bytes that nothing else can reach.
  const { seen, marks } = redacted(readRecord(Buffer.from(data), 0), redactor);
  return encodeRecord(seen, marks);
}

function plain(record: StoredRecord): Unwritten {
  return {
    seen: {
      ...record,
      requestHeaders: headerPairs(record.requestHeaderText),
      requestChunks: [record.requestBody],
      responseHeaders: headerPairs(record.responseHeaderText),
      responseChunks: [record.responseBody],
    },
    marks: { redacted: [], subject: null, sequencePlace: null },
  };
}

/** @throws what the redactor throws */
function redacted(record: StoredRecord, redactor: Redactor): Unwritten {
  const { path, status, requestBody, responseBody } = record;
  const { request, response, ...rest } = redactor.exchange({
    path,
    status,
    request: { headers: headerPairs(record.requestHeaderText), body: requestBody },
    response: { headers: headerPairs(record.responseHeaderText), body: responseBody },
  });
  return {
    seen: {
      ...record,
      path: rest.path,
      requestHeaders: request.headers,
      requestChunks: [request.body],
      requestBytes: request.body.length,
      responseHeaders: response.headers,
      responseChunks: [response.body],
      responseBytes: response.body.length,
    },
    marks: { redacted: rest.redacted, subject: rest.subject, sequencePlace: null },
  };
}
