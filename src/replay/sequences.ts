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
