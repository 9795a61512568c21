import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import { type Child, startChild } from "./child.js";

/** A child process that is started again whenever it ends by itself. */
export interface Supervised {
  /** What the first start announced. */
  readonly ready: Child["ready"];
  /** SIGTERM, then SIGKILL after `graceMs`; also while it is being started again. */
  stop(graceMs?: number): Promise<void>;
}

const backoffMs = { first: 500, most: 15_000 };
/** A child that ran this long is taken for healthy: its next restart is quick again. */
const healthyMs = 30_000;

/**
 * Starts `understudy ARGS…` and keeps it running. Each restart waits twice as long as the one before.
 *
 * @param environmentOf settings of the next start; told what the first start announced, so that a free port that was
 *   once found stays the same
 * @param signal stops the first start
 * @throws UnderstudyError `child_failed` when the first start fails; the signal's reason when that aborts
 */
export async function supervise(
  args: readonly string[],
  environmentOf: (before: Child["ready"] | null) => NodeJS.ProcessEnv,
  log: Logger,
  signal?: AbortSignal,
): Promise<Supervised> {
  const closing = new AbortController();
  let waitMs = backoffMs.first;
  let wake: () => void = () => {};
  let child = await startChild(args, { env: environmentOf(null), signal });
  const { ready } = child;

  async function keep(): Promise<void> {
    while (true) {
      const startedAt = Date.now();
      const exit = await child.exited;
      if (closing.signal.aborted) return;
      if (Date.now() - startedAt > healthyMs) waitMs = backoffMs.first;
      do {
        log.warn({ child: args[0], exit, restartInMs: waitMs }, "child ended, starting it again");
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, waitMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        if (closing.signal.aborted) return;
        waitMs = Math.min(waitMs * 2, backoffMs.most);
      } while (!(await restart()));
    }
  }

  async function restart(): Promise<boolean> {
    try {
      child = await startChild(args, { env: environmentOf(ready), signal: closing.signal });
    } catch (error) {
      if (closing.signal.aborted) return true;
      log.error({ child: args[0], error: messageOf(error) }, "restart failed");
      return false;
    }
    return true;
  }

  const kept = keep();
  return {
    ready,
    async stop(graceMs) {
      closing.abort();
      wake();
      await child.stop(graceMs);
      await kept;
    },
  };
}
