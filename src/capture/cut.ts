import type { DropReason } from "./capture.js";
import { type RingProducer, recordKind } from "./ring.js";

/**
 * What the serving thread has counted of the requests of one deployment received in one minute, since its epoch
 * began. `handed over` is not among it: those requests are the capture thread's to count.
 */
export interface ServedMinute {
  deploymentId: number;
  /** Start of the minute of receipt, Unix milliseconds. */
  minuteMs: number;
  received: number;
  inFlight: number;
  sampledOut: number;
  dropped: Partial<Record<DropReason, number>>;
  /** Of all bodies that went through in this minute, captured or not, as far as they had been seen at the cut. */
  requestBytes: number;
  responseBytes: number;
}

/**
 * A point in the stream of exchanges: all that was handed over before it is ahead of it in the ring, nothing that
 * came later is. When the capture thread meets it, its own counts and these are exactly of the same moment.
 */
export interface ServedCut {
  atMs: number;
  /** The sequence number of the next request. */
  sequence: number;
  /** Requests of each deployment since the epoch began, where that changed since the cut before. */
  received: [deploymentId: number, count: number][];
  /** The minutes that changed since the cut before. */
  minutes: ServedMinute[];
}

const lengthOffset = 8;
const textOffset = 12;

/** Puts a cut into the ring. False: it does not fit. */
export function writeCut(ring: RingProducer, cut: ServedCut): boolean {
  const text = Buffer.from(JSON.stringify(cut));
  const at = ring.reserve(textOffset + text.length, recordKind.cut);
  if (at < 0) return false;
  ring.data.writeInt32LE(text.length, at + lengthOffset);
  ring.data.set(text, at + textOffset);
  ring.publish();
  return true;
}

export function readCut(data: Buffer, at: number): ServedCut {
  const length = data.readInt32LE(at + lengthOffset);
  return JSON.parse(data.toString("utf8", at + textOffset, at + textOffset + length)) as ServedCut;
}
