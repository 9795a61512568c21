import { createHash } from "node:crypto";
import { newId } from "../ids.js";
import type { SequencePlace } from "./record.js";
import type { SequenceStep } from "./sequence-step.js";

/** Beyond these a sequence is given up: it must lie in one segment, which a worker holds in memory. */
const stepsMax = 1_024;
const sequenceBytesMax = 8 * 1024 ** 2;
/** All that is held together; what goes beyond gives up the sequence that it belongs to. */
const heldBytesMax = 64 * 1024 ** 2;
/** A sequence that nothing was heard of for so long is given up. */
const idleMs = 60_000;

/** A step as it came, and what its record needs to be written once the sequence is whole. */
export interface HeldStep<Payload> {
  payload: Payload;
  bytes: number;
  atMs: number;
  place: SequencePlace;
}

/** What became of steps. All of a call are of one deployment. */
export interface HoldSinks<Payload> {
  /** A whole sequence, in order. */
  whole(deploymentId: number, steps: readonly HeldStep<Payload>[]): void;
  /** Held from now on, or no longer. */
  held(deploymentId: number, atMs: number, change: 1 | -1): void;
  incomplete(deploymentId: number, atMs: number): void;
}

/**
 * Holds the steps of sequences in memory until the last has come, so that a sequence lies whole in one segment or not
 * at all. A sequence is whole when it began with its start, ended with its end, within one UTC day, and nothing of its
 * deployment was lost in between: what is lost does not say which sequence it was of.
 */
export interface SequenceHold<Payload> {
  offer(
    deploymentId: number,
    step: SequenceStep,
    taken: { payload: Payload; bytes: number; atMs: number; gaps: number },
  ): void;
  /** Something of this deployment was lost here, whatever it was of. */
  gap(deploymentId: number): void;
  /** Gives up what was idle for too long. True: there was something. */
  sweep(): boolean;
  /** Gives up everything, and from now on each sequence at its start. */
  end(): void;
}

interface Open<Payload> {
  deploymentId: number;
  key: string;
  steps: HeldStep<Payload>[];
  bytes: number;
  /** What had been lost of the deployment when it began, on the serving thread and here. */
  gaps: number;
  gapsHere: number;
  heardMs: number;
}

/** @param deps.clock monotonic milliseconds */
export function createSequenceHold<Payload>(deps: {
  sinks: HoldSinks<Payload>;
  clock: () => number;
}): SequenceHold<Payload> {
  const { sinks, clock } = deps;
  const open = new Map<string, Open<Payload>>();
  const gapsHere = new Map<number, number>();
  let heldBytes = 0;
  let ended = false;

  function close(name: string, sequence: Open<Payload>): void {
    open.delete(name);
    heldBytes -= sequence.bytes;
    for (const { atMs } of sequence.steps) sinks.held(sequence.deploymentId, atMs, -1);
  }

  function giveUp(name: string, sequence: Open<Payload>): void {
    close(name, sequence);
    for (const { atMs } of sequence.steps) sinks.incomplete(sequence.deploymentId, atMs);
  }

  return {
    offer(deploymentId, { id, start, end }, { payload, bytes, atMs, gaps }) {
      const name = `${deploymentId}:${id}`;
      const before = open.get(name);
      if (start && before !== undefined) giveUp(name, before);
      let sequence = start ? undefined : before;
      if (sequence === undefined) {
        if (!start || ended) {
          sinks.incomplete(deploymentId, atMs);
          return;
        }
        const known = { deploymentId, key: newId(atMs), gaps, gapsHere: gapsHere.get(deploymentId) ?? 0 };
        sequence = { ...known, steps: [], bytes: 0, heardMs: 0 };
        open.set(name, sequence);
      }
      sequence.steps.push({
        payload,
        bytes,
        atMs,
        place: { key: sequence.key, position: sequence.steps.length },
      });
      sequence.bytes += bytes;
      sequence.heardMs = clock();
      heldBytes += bytes;
      sinks.held(deploymentId, atMs, 1);
      const lossless = sequence.gaps === gaps && sequence.gapsHere === (gapsHere.get(deploymentId) ?? 0);
      const fits =
        sequence.steps.length <= stepsMax && sequence.bytes <= sequenceBytesMax && heldBytes <= heldBytesMax;
      if (!lossless || !fits || !sameDay(sequence.steps[0]!.atMs, atMs)) giveUp(name, sequence);
      else if (end) {
        close(name, sequence);
        sinks.whole(deploymentId, sequence.steps);
      }
    },

    gap(deploymentId) {
      gapsHere.set(deploymentId, (gapsHere.get(deploymentId) ?? 0) + 1);
    },

    sweep() {
      const now = clock();
      const idle = [...open].filter(([, { heardMs }]) => now - heardMs > idleMs);
      for (const [name, sequence] of idle) giveUp(name, sequence);
      return idle.length > 0;
    },

    end() {
      ended = true;
      for (const [name, sequence] of open) giveUp(name, sequence);
    },
  };
}

const dayMs = 86_400_000;
const sameDay = (a: number, b: number) => Math.floor(a / dayMs) === Math.floor(b / dayMs);

/** The coin of a sequence: a hash of its id, so that all its steps fall alike, whichever is seen first. */
export function sequenceIsSampled(deploymentId: number, id: string, sampleRate: number): boolean {
  const digest = createHash("sha256").update(`${deploymentId}:${id}`).digest();
  return digest.readUInt32BE(0) / 2 ** 32 < sampleRate;
}
