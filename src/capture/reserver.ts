import type { Reservation } from "./reservation.js";
import { readSequences, type SequenceMemory } from "./sequences.js";

/** Reserved at least for a deployment that has no requests yet: what may come before the next look, 10 ms later. */
const idleMin = 32;
/** Reserved at least ahead of a deployment that has requests: at 25,000 a second, what comes within 10 ms. */
const busyMin = 256;

/**
 * Keeps the reservation ahead of the requests: by half a second's worth at the rate of late, since the capture thread
 * may be busy for tens of milliseconds at a time. The more is reserved, the looser the bound on what a crash lost.
 */
export interface Reserver {
  /** Looks at the counts, and reserves where they come near; to be called every few milliseconds with monotonic time. */
  tick(nowMs: number): void;
  /** The epoch has ended in order: reserves exactly what was received. */
  end(): void;
}

interface Pace {
  reserved: number;
  /** Count and time at which the rate was last taken. */
  count: number;
  atMs: number;
  perSecond: number;
}

export function createReserver(reservation: Reservation, sequences: SequenceMemory): Reserver {
  const paces = new Map<number, Pace>();
  const reserved = new Map<number, number>();

  function aheadOf(received: number, pace: Pace): number {
    if (received === 0) return idleMin;
    return Math.max(busyMin, Math.ceil(pace.perSecond / 2));
  }

  return {
    tick(nowMs) {
      let due = false;
      readSequences(sequences, (deploymentId, received) => {
        let pace = paces.get(deploymentId);
        if (pace === undefined) {
          pace = { reserved: 0, count: received, atMs: nowMs, perSecond: 0 };
          paces.set(deploymentId, pace);
        }
        const elapsedMs = nowMs - pace.atMs;
        if (elapsedMs >= 250) {
          pace.perSecond = ((received - pace.count) * 1000) / elapsedMs;
          pace.count = received;
          pace.atMs = nowMs;
        }
        const ahead = aheadOf(received, pace);
        const spare = pace.reserved - received;
        if (spare >= ahead / 2 && spare <= 2 * ahead) return;
        pace.reserved = received + ahead;
        reserved.set(deploymentId, pace.reserved);
        due = true;
      });
      if (due) reservation.write(reserved);
    },

    end() {
      readSequences(sequences, (deploymentId, received) => reserved.set(deploymentId, received));
      reservation.write(reserved);
    },
  };
}
