import { minuteOf } from "../ids.js";
import type { Account } from "./account.js";
import type { DropReason } from "./capture.js";
import { readCut, type ServedCut } from "./cut.js";
import { deploymentOf, receivedAtOf, stampRecord } from "./record.js";
import { type RingConsumer, recordKind } from "./ring.js";
import type { Spool } from "./spool.js";
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

/** Moves exchanges from the ring to the spool, byte for byte, and counts each as spooled or dropped. */
export function createDrain(deps: {
  ring: RingConsumer;
  spool: Spool;
  account: Account;
  /** Number of the cut that will cover what is spooled now. */
  nextCut: () => number;
  onCut: (cut: ServedCut) => void;
  /** Whether the quota allows that many more bytes. */
  hasRoom: (bytes: number) => boolean;
  onSpoolError: (error: unknown) => void;
}): Drain {
  const { ring, spool, account, nextCut, onCut, hasRoom, onSpoolError } = deps;

  function flush(batch: Batch): void {
    const { deploymentId, atMs, minutes, from, to } = batch;
    const drop = (reason: DropReason) => account.dropped(deploymentId, minutes, reason);
    if (!hasRoom(to - from)) {
      drop("spool_full");
      return;
    }
    try {
      spool.append({ deploymentId, atMs, minutes, bytes: ring.data.subarray(from, to) }, nextCut());
      account.spooled(deploymentId, minutes);
    } catch (error) {
      drop("spool_error");
      onSpoolError(error);
    }
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
        stampRecord(ring.data, at, size, nextCut());
        const deploymentId = deploymentOf(ring.data, at);
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
