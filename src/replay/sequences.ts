import { createHash } from "node:crypto";
import type { Capture } from "../capture/capture.js";
import type { SequenceId } from "../protocol/sequence-id.js";
import type { LeasedWork } from "../store/types.js";

/**
 * The id under which a captured sequence is replayed. The client's own may be in use at the candidate: by production,
 * where that serves it too, by another sequence of the same id, by another run. Each lease has ids of its own as well: a
 * worker that comes late must not step into a sequence that was begun anew.
 *
 * Numbers have 53 bits, the highest set: every reader of JSON has them whole, and no client counts so far.
 */
export function replayedSequenceId({ id, lease }: Pick<LeasedWork, "id" | "lease">, key: string): SequenceId {
  const digest = createHash("sha256").update(`understudy sequence ${id} ${lease} ${key}`).digest();
  return {
    number: 2n ** 52n + (digest.readBigUInt64BE(0) >> 12n),
    text: `understudy-${digest.toString("hex", 8, 24)}`,
  };
}

/** Follows the sequences of one work: each step may be replayed only when all those before it were, and succeeded. */
export interface SequenceProgress {
  mayReplay(capture: Capture): boolean;
  /** A step was answered. What failed is not told, and breaks off the rest. */
  answered(capture: Capture): void;
}

export function followSequences(): SequenceProgress {
  const next = new Map<string, number>();
  return {
    mayReplay: ({ sequencePlace: place }) => place === null || (next.get(place.key) ?? 0) === place.position,
    answered({ sequencePlace: place }) {
      if (place !== null) next.set(place.key, place.position + 1);
    },
  };
}

/** Places of captures that must follow each other: the steps of a sequence; any other stands alone. */
export function strandsOf(captures: readonly Capture[]): number[][] {
  const strands: number[][] = [];
  const sequences = new Map<string, number[]>();
  for (const [at, { sequencePlace }] of captures.entries()) {
    const known = sequencePlace && sequences.get(sequencePlace.key);
    if (known) {
      known.push(at);
      continue;
    }
    const strand = [at];
    strands.push(strand);
    if (sequencePlace) sequences.set(sequencePlace.key, strand);
  }
  return strands;
}
