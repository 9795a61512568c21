import type { Capture } from "../capture/capture.js";

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
