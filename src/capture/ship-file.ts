import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { BlobStore } from "../blobs/blobs.js";
import { UnderstudyError } from "../errors.js";
import { minuteOf } from "../ids.js";
import { headerLengthName } from "../protocol/headers.js";
import { Scratch } from "../scratch.js";
import type { Catalogue } from "../store/groups.js";
import type { CaptureRow } from "../store/types.js";
import type { FileOutcome, MinuteCounts } from "./account.js";
import { setApart } from "./bodies.js";
import type { Capture } from "./capture.js";
import type { Epoch } from "./epoch.js";
import { examine } from "./examine.js";
import { readRecord, soundRecordSize } from "./record.js";
import { writeSegment } from "./segment.js";
import type { ClosedFile } from "./spool-file.js";

/** What one file after the other is read into, and its segment is written into. */
export interface ShipMemory {
  file: Scratch;
  segment: Scratch;
}

/** Spool files are rolled at 16 MiB; little comes in above that before they are. */
export const createShipMemory = (): ShipMemory => ({
  file: new Scratch(32 * 1024 ** 2),
  segment: new Scratch(32 * 1024 ** 2),
});

/** A spool file as it will be shipped. */
interface Content {
  captures: Capture[];
  outcome: FileOutcome;
}

/**
 * Makes a segment of a spool file and catalogues it with the newest cut; then the file is done with. Sending it again,
 * after any failure or crash, changes nothing.
 *
 * @param beforeCommit called when the next failure leaves open whether the commit went through
 * @returns the works to be queued now
 */
export async function shipFile(
  deps: ShipDeps,
  epoch: Epoch,
  file: ClosedFile,
  beforeCommit: () => void,
): Promise<bigint[]> {
  try {
    return await ship(deps, epoch, file, beforeCommit);
  } catch (error) {
    // What was given up may still be on its way to a blob store.
    deps.memory.file.leave();
    deps.memory.segment.leave();
    throw error;
  }
}

interface ShipDeps {
  blobs: BlobStore;
  catalogue: Catalogue;
  bodyBytesMax: number;
  largeBodyBytes: number;
  memory: ShipMemory;
}

async function ship(
  deps: ShipDeps,
  epoch: Epoch,
  file: ClosedFile,
  beforeCommit: () => void,
): Promise<bigint[]> {
  const { blobs, catalogue, bodyBytesMax, largeBodyBytes, memory } = deps;
  const content = readContent(file, await readSpooled(file.path, memory.file), bodyBytesMax);
  if (epoch.beginSending(file)) {
    const catalogued = await catalogue.capturesOf(file.segmentId);
    // What the disk has lost since is in its segment all the same; the reconciler knows of the works.
    if (catalogued !== null && !sameCounts(catalogued, content.outcome.captured)) {
      return shipOutcome(catalogue, epoch, file, outcomeOf(file, catalogued, []));
    }
  }
  if (content.captures.length === 0) return shipOutcome(catalogue, epoch, file, content.outcome);

  const { captures, bodies } = setApart(content.captures, largeBodyBytes);
  const about = {
    "understudy.epoch": epoch.epoch,
    "understudy.gateway": epoch.gateway,
    "understudy.boot_id": epoch.bootId,
    "understudy.started_at_ms": String(epoch.startedAtMs),
    "understudy.started_monotonic_ms": String(epoch.startedMonotonicMs),
  };
  const bytes = writeSegment(captures, about, memory.segment);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const { segmentId, deploymentId, day } = file;
  // The digest is in the key, so that a segment sent again by a later version does not replace what is catalogued.
  const blobKey = `segments/${deploymentId}/${day}/${segmentId}.${sha256.slice(0, 16)}.parquet`;
  // Bodies first: whoever finds the segment finds them. They are put again each time, since a body that another segment
  // refers to may be on its way out with that one.
  for (const { key, body } of bodies) await blobs.put(key, body);
  await blobs.put(blobKey, bytes);

  const shipment = epoch.account.ship(content.outcome);
  const cut = await epoch.syncedCut(shipment.minutes);
  const segment = { id: segmentId, deploymentId, day, gatewayEpoch: epoch.epoch, blobKey, sha256 };
  beforeCommit();
  try {
    const { toQueue, revivedBodies } = await catalogue.commitSegment({
      segment: { ...segment, bytes: bytes.length },
      captures: content.captures.map(rowOf),
      bodies: bodies.map(({ sha256, bytes, refs }) => ({ sha256, bytes, refs })),
      cut,
    });
    for (const { key, sha256, body } of bodies) {
      if (revivedBodies.includes(sha256)) await blobs.put(key, body);
    }
    await epoch.fileDone(file, shipment.arrived());
    return toQueue;
  } catch (error) {
    if (!(error instanceof UnderstudyError && error.code === "not_found")) throw error;
    for (const key of [blobKey, ...bodies.map((body) => body.key)]) await blobs.delete(key);
    return shipOutcome(catalogue, epoch, file, withoutDeployment(content));
  }
}

/** Without a segment: there is nothing for one, or it is catalogued. */
async function shipOutcome(
  catalogue: Catalogue,
  epoch: Epoch,
  file: ClosedFile,
  outcome: FileOutcome,
): Promise<bigint[]> {
  const shipment = epoch.account.ship(outcome);
  await catalogue.shipCut(await epoch.syncedCut(shipment.minutes));
  await epoch.fileDone(file, shipment.arrived());
  return [];
}

/** The deployment was deleted: there is nothing left to capture for. */
function withoutDeployment({ captures, outcome }: Content): FileOutcome {
  const gone = captures.map((capture) => ({
    minuteMs: minuteOf(capture.receivedAtMs),
    why: { dropped: "capture_off" } as const,
  }));
  return { ...outcome, captured: new Map(), withdrawn: [...outcome.withdrawn, ...gone] };
}

/** What the file holds; nothing where it is gone. */
async function readSpooled(path: string, memory: Scratch): Promise<Buffer> {
  const handle = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (handle === null) return Buffer.alloc(0);
  try {
    const { size } = await handle.stat();
    const data = memory.take(size);
    let filled = 0;
    while (filled < size) {
      const { bytesRead } = await handle.read(data, filled, size - filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return data.subarray(0, filled);
  } finally {
    await handle.close();
  }
}

/** Examines what is in the file. */
function readContent(file: ClosedFile, data: Buffer, bodyBytesMax: number): Content {
  const captures: Capture[] = [];
  const captured = new Map<number, number>();
  const withdrawn: FileOutcome["withdrawn"][number][] = [];
  for (let at = 0, size = soundRecordSize(data, 0); size > 0; size = soundRecordSize(data, at)) {
    const record = readRecord(data, at);
    at += size;
    const minuteMs = minuteOf(record.receivedAtMs);
    const examined = examine(record, bodyBytesMax);
    if ("capture" in examined) {
      captures.push(examined.capture);
      captured.set(minuteMs, (captured.get(minuteMs) ?? 0) + 1);
    } else {
      withdrawn.push({ minuteMs, why: examined });
    }
  }
  return { captures, outcome: outcomeOf(file, captured, withdrawn) };
}

/** What the disk lost of a file since it was written is a `spool_error`. */
function outcomeOf(
  { deploymentId, minutes }: ClosedFile,
  captured: MinuteCounts,
  withdrawn: FileOutcome["withdrawn"],
): FileOutcome {
  const damaged: FileOutcome["withdrawn"][number][] = [];
  for (const [minuteMs, count] of minutes) {
    const found = (captured.get(minuteMs) ?? 0) + withdrawn.filter((one) => one.minuteMs === minuteMs).length;
    for (let lost = count - found; lost > 0; lost--) {
      damaged.push({ minuteMs, why: { dropped: "spool_error" } });
    }
  }
  return { deploymentId, captured, withdrawn: [...withdrawn, ...damaged] };
}

function sameCounts(some: MinuteCounts, others: MinuteCounts): boolean {
  return some.size === others.size && [...some].every(([minuteMs, count]) => others.get(minuteMs) === count);
}

function rowOf(capture: Capture, row: number): CaptureRow {
  return {
    id: capture.id,
    row,
    receivedAtMs: capture.receivedAtMs,
    transport: `http-${capture.requestHeaders[headerLengthName] === undefined ? "json" : "binary"}`,
    primaryVersion: capture.primaryVersion,
    status: capture.status,
    primaryMs: capture.primaryMs,
    requestBytes: capture.requestBody.length,
    responseBytes: capture.responseBody.length,
    sample: capture.sample,
    rule: capture.rule,
    tags: capture.tags,
    redacted: capture.redacted,
    subject: capture.subject,
  };
}
