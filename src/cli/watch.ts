import { setTimeout as sleep } from "node:timers/promises";
import { UnderstudyError } from "../errors.js";

const pollMs = 500;
/** After so long without anything done the reader is told what may be missing. */
const patienceMs = 15_000;
/** The control plane may be restarted meanwhile: what is watched goes on without it. */
const failuresMax = 20;

/** Something that workers do, and how it is asked about. */
export interface Watched<T> {
  get(): Promise<T>;
  cancel(): Promise<T>;
  hasEnded(value: T): boolean;
  /** Nothing was done yet: is there anyone to do it? */
  isIdle(value: T): boolean;
  line(value: T, columns: number): string;
}

/**
 * Waits until it has ended, with a progress bar on stderr (one line now and then where that is no terminal). The first
 * SIGINT asks to cancel it; the second ends the waiting.
 *
 * @throws UnderstudyError when the control plane stays away
 */
export async function watch<T>(watched: Watched<T>, opened: T): Promise<T> {
  const { stderr } = process;
  const interrupted = new AbortController();
  const onSignal = () => {
    if (interrupted.signal.aborted) process.exit(2);
    interrupted.abort();
  };
  process.on("SIGINT", onSignal);
  const beganMs = performance.now();
  let warned = false;
  let told = "";
  let asked = false;
  let failures = 0;
  let value = opened;
  try {
    for (;;) {
      const line = watched.line(value, stderr.columns ?? 80);
      if (stderr.isTTY) stderr.write(`\r\x1b[K${line}`);
      else if (line !== told) stderr.write(`${line}\n`);
      told = line;
      if (watched.hasEnded(value)) return value;
      if (!warned && watched.isIdle(value) && performance.now() - beganMs > patienceMs) {
        stderr.write(
          `${stderr.isTTY ? "\n" : ""}still waiting: does a worker run? \`understudy worker\` starts one\n`,
        );
        warned = true;
      }
      try {
        if (interrupted.signal.aborted && !asked) {
          value = await watched.cancel();
          asked = true;
          continue;
        }
        await sleep(pollMs, undefined, { signal: asked ? undefined : interrupted.signal }).catch(() => {});
        value = await watched.get();
        failures = 0;
      } catch (error) {
        failures += 1;
        const unreachable = error instanceof UnderstudyError && error.code === "control_unreachable";
        // It may have ended just before it was to be cancelled.
        if (interrupted.signal.aborted && !unreachable && !asked) asked = true;
        else if (!unreachable || failures > failuresMax) throw error;
        await sleep(pollMs);
      }
    }
  } finally {
    if (stderr.isTTY) stderr.write("\n");
    process.off("SIGINT", onSignal);
  }
}
