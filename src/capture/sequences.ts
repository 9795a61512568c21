/**
 * How many requests each deployment has received in this epoch, in memory that both threads see: written by the
 * serving thread at every request, read by the capture thread, which reserves numbers on disk ahead of it.
 */

/** Deployments that one gateway can capture; the requests of any further one pass through uncaptured. */
export const deploymentsMax = 4_096;

export interface SequenceMemory {
  slots: SharedArrayBuffer;
  received: SharedArrayBuffer;
}

export function createSequenceMemory(): SequenceMemory {
  return {
    slots: new SharedArrayBuffer((1 + deploymentsMax) * Int32Array.BYTES_PER_ELEMENT),
    received: new SharedArrayBuffer(deploymentsMax * Float64Array.BYTES_PER_ELEMENT),
  };
}

/** The serving thread's side. */
export interface SequenceWriter {
  /** A place for a deployment's count, or -1 when there is none left. */
  open(deploymentId: number): number;
  /** Makes the number of requests of the deployment at `slot` known. */
  publish(slot: number, count: number): void;
}

export function createSequenceWriter(memory: SequenceMemory): SequenceWriter {
  const slots = new Int32Array(memory.slots);
  const received = new Float64Array(memory.received);
  let used = 0;
  return {
    open(deploymentId) {
      if (used === deploymentsMax) return -1;
      slots[1 + used] = deploymentId;
      used += 1;
      // The number of slots comes last: a reader never sees one that is not filled in.
      Atomics.store(slots, 0, used);
      return used - 1;
    },
    publish(slot, count) {
      received[slot] = count;
    },
  };
}

/** Reads all counts: `visit(deploymentId, received)` in the order of the slots. */
export function readSequences(
  memory: SequenceMemory,
  visit: (deploymentId: number, received: number) => void,
): void {
  const slots = new Int32Array(memory.slots);
  const received = new Float64Array(memory.received);
  const used = Atomics.load(slots, 0);
  for (let slot = 0; slot < used; slot++) visit(slots[1 + slot]!, received[slot]!);
}
