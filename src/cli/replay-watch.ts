import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "../api-client.js";
import type { Replay } from "../control/api.js";
import { UnderstudyError } from "../errors.js";
import { progressLine } from "./replay-text.js";

const pollMs = 500;
/** After so long without a worker the reader is told what may be missing. */
const patienceMs = 15_000;
/** The control plane may be restarted meanwhile: the replay goes on without it. */
const failuresMax = 20;

const ended: ReadonlySet<Replay["state"]> = new Set(["done", "failed", "cancelled"]);

/**
 * Waits until a replay has ended, with a progress bar on stderr (one line now and then where that is no terminal).
 * The first SIGINT asks to cancel it; the second ends the waiting.
 *
 * @throws UnderstudyError when the control plane stays away
 */
export async function watchReplay(api: ApiClient, opened: Replay): Promise<Replay> {
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
  let replay = opened;
  try {
    for (;;) {
      const line = progressLine(replay, stderr.columns ?? 80);
      if (stderr.isTTY) stderr.write(`\r\x1b[K${line}`);
      else if (line !== told) stderr.write(`${line}\n`);
      told = line;
      if (ended.has(replay.state)) return replay;
      if (!warned && replay.state === "planned" && performance.now() - beganMs > patienceMs) {
        stderr.write(
          `${stderr.isTTY ? "\n" : ""}still waiting: does a worker run? \`understudy worker\` starts one\n`,
        );
        warned = true;
      }
      try {
        if (interrupted.signal.aborted && !asked) {
          replay = await api.post<Replay>(`/replays/${replay.id}/cancel`, {});
          asked = true;
          continue;
        }
        await sleep(pollMs, undefined, { signal: asked ? undefined : interrupted.signal }).catch(() => {});
        replay = await api.get<Replay>(`/replays/${replay.id}`);
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
