import type { Observation } from "../../upstream/observation.js";

/** A request that is overdue by more than this is not sent any more: it would meet another load than it was made for. */
export const lateMsMax = 1_000;

/** Before a deadline that is nearer than this the thread waits by itself: timers are a millisecond and more late. */
const nearMs = 4;
/** What such a wait lasts at most while answers may come: that much they can be read late. */
const sliceMs = 0.2;

/** A request and its time. */
export interface Due {
  /** On the monotonic clock. */
  atMs: number;
  /** Requests that share a cap on what is in flight. */
  cap: Cap;
  /** What it belongs to, and is halted with. */
  task: number;
  send(): Promise<Observation>;
  /** Told once. */
  done(sent: Sent): void;
}

export interface Cap {
  inFlightMax: number;
  inFlight: number;
  /** Whose time has come while the cap was reached. */
  waiting: Due[];
}

/** What became of a request: what came back, and how long after its time it was sent; or that it was not sent. */
export type Sent =
  | { sent: true; observation: Observation; lateMs: number }
  | { sent: false; why: "late" | "halted" }
  | { sent: false; why: "error"; error: unknown };

export interface Pacer {
  /** @param due in the order of their times */
  add(due: readonly Due[]): void;
  /** What was not sent yet will not be. */
  halt(task: number, cap: Cap): void;
}

/**
 * Sends each request at its time, from the thread that it runs in. Far from a deadline the thread's loop waits as any
 * does; near it, by `Atomics.wait`, the most exact wait there is in JavaScript, in slices between which the loop turns
 * so that answers are read.
 *
 * @param now the monotonic clock, milliseconds
 * @param afterSending called when what was due has gone out: nothing else is for as long as can be
 */
export function createPacer(now: () => number, afterSending: () => void = () => {}): Pacer {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  /** The next is last. */
  let queue: Due[] = [];
  let inFlight = 0;
  let timer: NodeJS.Timeout | undefined;
  let immediate: NodeJS.Immediate | undefined;

  function send(due: Due): void {
    const { cap } = due;
    const lateMs = Math.max(0, now() - due.atMs);
    if (lateMs > lateMsMax) {
      due.done({ sent: false, why: "late" });
      return;
    }
    if (cap.inFlight >= cap.inFlightMax) {
      cap.waiting.push(due);
      return;
    }
    cap.inFlight += 1;
    inFlight += 1;
    due
      .send()
      .then(
        (observation) => due.done({ sent: true, observation, lateMs }),
        (error: unknown) => due.done({ sent: false, why: "error", error }),
      )
      .finally(() => {
        cap.inFlight -= 1;
        inFlight -= 1;
        // One that is too late takes no place.
        while (cap.inFlight < cap.inFlightMax && cap.waiting.length > 0) send(cap.waiting.shift()!);
      });
  }

  function turn(): void {
    timer = undefined;
    immediate = undefined;
    let begun = false;
    for (;;) {
      const next = queue.at(-1);
      if (next === undefined) return;
      const gapMs = next.atMs - now();
      if (gapMs <= 0) {
        queue.pop();
        send(next);
        begun = true;
        continue;
      }
      // What has begun may need the loop: connections are opened in it, and answers read.
      if (begun) {
        afterSending();
        break;
      }
      if (gapMs > nearMs) {
        timer = setTimeout(turn, gapMs - nearMs + 1);
        return;
      }
      if (inFlight === 0 || gapMs <= sliceMs) {
        Atomics.wait(cell, 0, 0, gapMs);
        continue;
      }
      Atomics.wait(cell, 0, 0, sliceMs);
      break;
    }
    immediate = setImmediate(turn);
  }

  return {
    add(due) {
      // A task's times ascend, and are mostly later than all that is there: to sort thousands would make some late.
      const latestMs = queue[0]?.atMs ?? Number.NEGATIVE_INFINITY;
      const areLater = due.length === 0 || due[0]!.atMs >= latestMs;
      if (areLater) queue = [...due.toReversed(), ...queue];
      else queue = [...queue, ...due].sort((a, b) => b.atMs - a.atMs);
      clearTimeout(timer);
      if (immediate === undefined) immediate = setImmediate(turn);
    },
    halt(task, cap) {
      const ofTask = (due: Due) => due.task === task;
      const dropped = queue.filter(ofTask);
      queue = queue.filter((due) => !ofTask(due));
      dropped.push(...cap.waiting.filter(ofTask));
      cap.waiting = cap.waiting.filter((due) => !ofTask(due));
      for (const due of dropped) due.done({ sent: false, why: "halted" });
    },
  };
}
