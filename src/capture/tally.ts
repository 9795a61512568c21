import { minuteOf } from "../ids.js";
import type { DropReason } from "./capture.js";
import { type ServedMinute, writeCut } from "./cut.js";
import { type BodySlab, type SeenExchange, takeBodySlab, writeExchange, writeInSlab } from "./record.js";
import type { RingProducer } from "./ring.js";
import type { SequenceWriter } from "./sequences.js";

/** Captures between two cuts, at most: spool files roll at cuts. */
const cutCaptures = 256;
/** Bytes between two cuts, at most, so that segments of large bodies still fit into a worker's memory. */
const cutBytes = 8 * 1024 ** 2;
/** Without traffic a cut says now and then that there was none: an erasure waits for that word. */
const idleCutMs = 5_000;
/**
 * How long a minute is remembered after it ended. A clock that steps back by less finds its minutes as they were,
 * and counts on; one that steps back further is held at this distance.
 */
const rememberedMs = 2 * 3_600_000;

/** The count of one deployment's requests of one minute, by how they ended. */
export interface MinuteTally extends ServedMinute {
  changed: boolean;
}

/** Bytes of bodies that went through, counted where they pass: those of requests, those of answers. */
export type PassedBytes = Float64Array;

/** One deployment's account on the serving thread. */
export interface DeploymentTally {
  readonly deploymentId: number;
  readonly slot: number;
  readonly minutes: Map<number, MinuteTally>;
  current: MinuteTally | null;
  received: number;
  readonly drops: Map<DropReason, number>;
  /** Requests that ended without being handed over. */
  gaps: number;
  readonly passed: PassedBytes | null;
  /** What of `passed` is in a minute already. */
  readonly taken: PassedBytes;
}

/**
 * Counts, on the serving thread, every request where it is received and where it ends there, and hands exchanges
 * over. Each request ends in exactly one of `sampledOut`, `dropped` and `handOver`.
 */
export interface Tally {
  /**
   * null: more deployments than can be counted.
   * @param passed grows as bodies pass; looked at when a cut is made
   */
  open(deploymentId: number, passed?: PassedBytes): DeploymentTally | null;
  /** The number of requests received so far, which is the sequence number of the next. */
  readonly sequence: number;
  /** Wall clock in Unix milliseconds; never so far back that a forgotten minute would be counted anew. */
  nowMs(): number;
  /** A request came in at `nowMs`; it is in flight until one of the others is told. */
  receive(deployment: DeploymentTally, nowMs: number): MinuteTally;
  sampledOut(minute: MinuteTally): void;
  dropped(minute: MinuteTally, reason: DropReason): void;
  /** Where a request's body may be read to, for it to need no copy; null: nowhere. It is handed over, or given back. */
  slabFor(bytes: number): BodySlab | null;
  /**
   * Copies the exchange to the capture side; dropped as `buffer_full` when there is no room.
   * @param slab that its request's body lies in
   * @returns whether the slab was handed over with it
   */
  handOver(minute: MinuteTally, seen: SeenExchange, slab: BodySlab | null): boolean;
  /** Requests of each deployment so far. */
  received(): Map<number, number>;
  /** What was given up on this thread so far; for metrics. */
  drops(): { deploymentId: number; reason: DropReason; count: number }[];
  /** Makes a cut when anything changed. False: it found no room, and is to be made later. */
  cut(): boolean;
}

export function createTally(deps: {
  ring: RingProducer;
  sequences: SequenceWriter;
  clock: () => number;
}): Tally {
  const { ring, sequences, clock } = deps;
  let cutAtMs = clock();
  const deployments = new Map<number, DeploymentTally>();
  let changed: MinuteTally[] = [];
  let sequence = 0;
  let newestMs = Number.NEGATIVE_INFINITY;
  let sinceCut = { captures: 0, bytes: 0 };

  function touch(minute: MinuteTally): void {
    if (minute.changed) return;
    minute.changed = true;
    changed.push(minute);
  }

  function end(minute: MinuteTally): void {
    minute.inFlight -= 1;
    touch(minute);
  }

  function minuteAt(deployment: DeploymentTally, minuteMs: number): MinuteTally {
    let minute = deployment.minutes.get(minuteMs);
    if (minute === undefined) {
      const { deploymentId } = deployment;
      minute = {
        deploymentId,
        minuteMs,
        received: 0,
        inFlight: 0,
        sampledOut: 0,
        dropped: {},
        requestBytes: 0,
        responseBytes: 0,
        changed: false,
      };
      deployment.minutes.set(minuteMs, minute);
      for (const [key, old] of deployment.minutes) {
        if (key < minuteMs - rememberedMs && old.inFlight === 0 && !old.changed)
          deployment.minutes.delete(key);
      }
    }
    return minute;
  }

  /** What passed since the last cut, to the minute that is current: close enough for an estimate. */
  function takePassed({ passed, taken, current }: DeploymentTally): void {
    if (passed === null || current === null) return;
    const [requests, responses] = [passed[0]! - taken[0]!, passed[1]! - taken[1]!];
    if (requests === 0 && responses === 0) return;
    current.requestBytes += requests;
    current.responseBytes += responses;
    taken.set(passed);
    touch(current);
  }

  const tally: Tally = {
    get sequence() {
      return sequence;
    },

    open(deploymentId, passed) {
      const known = deployments.get(deploymentId);
      if (known) return known;
      const slot = sequences.open(deploymentId);
      if (slot < 0) return null;
      const deployment: DeploymentTally = {
        deploymentId,
        slot,
        minutes: new Map(),
        current: null,
        received: 0,
        drops: new Map(),
        gaps: 0,
        passed: passed ?? null,
        taken: passed?.slice() ?? new Float64Array(2),
      };
      deployments.set(deploymentId, deployment);
      return deployment;
    },

    nowMs() {
      const now = clock();
      if (now > newestMs) newestMs = now;
      return Math.max(now, newestMs - rememberedMs + 120_000);
    },

    receive(deployment, nowMs) {
      sequence += 1;
      deployment.received += 1;
      sequences.publish(deployment.slot, deployment.received);
      const minuteMs = minuteOf(nowMs);
      if (deployment.current?.minuteMs !== minuteMs) deployment.current = minuteAt(deployment, minuteMs);
      const minute = deployment.current;
      minute.received += 1;
      minute.inFlight += 1;
      touch(minute);
      return minute;
    },

    sampledOut(minute) {
      minute.sampledOut += 1;
      end(minute);
    },

    dropped(minute, reason) {
      minute.dropped[reason] = (minute.dropped[reason] ?? 0) + 1;
      const deployment = deployments.get(minute.deploymentId)!;
      deployment.gaps += 1;
      const { drops } = deployment;
      drops.set(reason, (drops.get(reason) ?? 0) + 1);
      end(minute);
    },

    slabFor: (bytes) => takeBodySlab(ring, bytes),

    handOver(minute, seen, slab) {
      const inSlab = slab !== null && writeInSlab(slab, seen);
      if (!inSlab && !writeExchange(ring, seen)) {
        if (seen.sample === "left_out") {
          // Only a sequence could have wanted it: no loss of the sample, but a gap in what is seen.
          deployments.get(minute.deploymentId)!.gaps += 1;
          tally.sampledOut(minute);
        } else tally.dropped(minute, "buffer_full");
        return false;
      }
      end(minute);
      sinceCut.captures += 1;
      sinceCut.bytes += seen.requestBytes + seen.responseBytes;
      if (sinceCut.captures >= cutCaptures || sinceCut.bytes >= cutBytes) tally.cut();
      return inSlab;
    },

    received: () => new Map([...deployments].map(([id, deployment]) => [id, deployment.received])),

    drops: () =>
      [...deployments].flatMap(([deploymentId, { drops }]) =>
        [...drops].map(([reason, count]) => ({ deploymentId, reason, count })),
      ),

    cut() {
      for (const deployment of deployments.values()) takePassed(deployment);
      const atMs = tally.nowMs();
      if (changed.length === 0 && Math.abs(atMs - cutAtMs) < idleCutMs) return true;
      const minutes = changed.map(({ changed: _, ...minute }) => minute);
      const ids = new Set(changed.map((minute) => minute.deploymentId));
      const received = [...ids].map((id): [number, number] => [id, deployments.get(id)!.received]);
      if (!writeCut(ring, { atMs, sequence, received, minutes })) return false;
      cutAtMs = atMs;
      for (const minute of changed) minute.changed = false;
      changed = [];
      sinceCut = { captures: 0, bytes: 0 };
      return true;
    },
  };
  return tally;
}
