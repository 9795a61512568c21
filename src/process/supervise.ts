import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import { type Child, startChild } from "./child.js";

/** A child process that is started again whenever it ends by itself. */
export interface Supervised {
  /** What the first start announced. */
  readonly ready: Child["ready"];
  stop(): Promise<void>;
}

const backoffMs = { first: 500, most: 15_000 };
/** A child that ran this long is taken for healthy: its next restart is quick again. */
const healthyMs = 30_000;

/**
 * Starts `understudy ARGS…` and keeps it running. Each restart waits twice as long as the one before.
 *
 * @param environmentOf settings of the next start; told what the first start announced, so that a free port that was
 *   once found stays the same
 * @throws UnderstudyError `child_failed` when the first start fails
 */
export async function supervise(
  args: readonly string[],
  environmentOf: (before: Child["ready"] | null) => NodeJS.ProcessEnv,
  log: Logger,
): Promise<Supervised> {
  let closing = false;
  let waitMs = backoffMs.first;
  let wake: () => void = () => {};
  let child = await startChild(args, { env: environmentOf(null) });
  const { ready } = child;

  async function keep(): Promise<void> {
    while (true) {
      const startedAt = Date.now();
      const exit = await child.exited;
      if (closing) return;
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
        if (closing) return;
        waitMs = Math.min(waitMs * 2, backoffMs.most);
      } while (!(await restart()));
    }
  }

  async function restart(): Promise<boolean> {
    try {
      child = await startChild(args, { env: environmentOf(ready) });
    } catch (error) {
      log.error({ child: args[0], error: messageOf(error) }, "restart failed");
      return false;
    }
    if (closing) await child.stop();
    return true;
  }

  const kept = keep();
  return {
    ready,
    async stop() {
      closing = true;
      wake();
      await child.stop();
      await kept;
    },
  };
}
