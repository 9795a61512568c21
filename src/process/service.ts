import { constants } from "node:os";
import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";

/** Something that runs until it is closed. Owners close what they started, in reverse order. */
export interface Service {
  /** Where it can be reached, for the log and for the process that started this one. */
  readonly ready: Readonly<Record<string, string | number>>;
  close(): Promise<void>;
}

/** How long a process may take to end after a signal before it is ended regardless. */
const shutdownDeadlineMs = 6_000;

/** SIGHUP: the terminal was closed. */
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const parentGone = "parent gone";

const endAtOnce = () => process.exit(1);

/** Whether this process was started with a channel to its parent, and the parent is no longer there. */
const isOrphan = () => process.send !== undefined && !process.connected;

/** Ends this process with its parent for as long as it has nothing to close; `serve` closes in order from then on. */
export function endWithParent(): void {
  process.once("disconnect", endAtOnce);
  if (isOrphan()) endAtOnce();
}

/** Runs a service as `serveFrom` does, for a process that needs not be ended in order while it starts. */
export function serve(service: Service, log: Logger): Promise<void> {
  return serveFrom(() => Promise.resolve(service), log);
}

/**
 * Starts a service and runs it as the main job of this process: announces it to the parent, if any, and closes it on
 * SIGINT, SIGTERM, SIGHUP, or when the parent is gone. Resolves when it has closed.
 *
 * @param start given a signal that aborts when the process is asked to end; it then closes what it has opened, and rejects
 * @throws what kept it from starting, unless that was the end being asked for
 */
export async function serveFrom(
  start: (ending: AbortSignal) => Promise<Service>,
  log: Logger,
  { deadlineMs = shutdownDeadlineMs }: { deadlineMs?: number } = {},
): Promise<void> {
  const asked = new AbortController();
  const ending = asked.signal;
  const ended = new Promise<void>((resolve) => ending.addEventListener("abort", () => resolve()));
  let deadline: NodeJS.Timeout | undefined;
  const end = (reason: string) => {
    if (ending.aborted) return;
    log.info({ reason }, "closing");
    deadline = setTimeout(() => {
      log.fatal({ deadlineMs }, "not closed by the deadline");
      process.exit(1);
    }, deadlineMs);
    deadline.unref();
    asked.abort(reason);
  };
  // They stay: a second Ctrl-C must not cut the closing short.
  for (const signal of signals) process.on(signal, end);
  // A parent that was killed cannot send a signal; its end of the channel closes.
  process.once("disconnect", () => end(parentGone));
  process.removeListener("disconnect", endAtOnce);
  if (isOrphan()) end(parentGone);

  let service: Service;
  try {
    service = await start(ending);
  } catch (error) {
    if (!ending.aborted) throw error;
    process.exitCode = exitCodeOf(ending.reason);
    leave();
    return;
  }
  if (!ending.aborted) {
    log.info(service.ready, "ready");
    process.send?.({ ready: service.ready }, (error: Error | null) => {
      if (error) end(parentGone);
    });
    await ended;
  }
  try {
    await service.close();
  } catch (error) {
    log.error({ error: messageOf(error) }, "closing failed");
    process.exitCode = 1;
  }
  leave();

  function leave(): void {
    clearTimeout(deadline);
    if (process.connected) process.disconnect();
  }
}

/** As a shell reports the end by a signal. */
function exitCodeOf(reason: unknown): number {
  const signal = signals.find((known) => known === reason);
  return signal === undefined ? 1 : 128 + constants.signals[signal];
}
