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

/**
 * Runs a service as the main job of this process: announces it to the parent, if any, and closes it on SIGINT,
 * SIGTERM, SIGHUP, or when the parent is gone. Resolves when it has closed.
 */
export async function serve(
  service: Service,
  log: Logger,
  { deadlineMs = shutdownDeadlineMs }: { deadlineMs?: number } = {},
): Promise<void> {
  log.info(service.ready, "ready");
  process.send?.({ ready: service.ready });
  const reason = await new Promise<string>((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve(signal));
    // A parent that was killed cannot send a signal; its end of the channel closes.
    process.once("disconnect", () => resolve("parent gone"));
  });
  // A second Ctrl-C reaches the whole process group; it must not cut the closing short.
  for (const signal of signals) process.on(signal, () => {});
  log.info({ reason }, "closing");
  const deadline = setTimeout(() => {
    log.fatal({ deadlineMs }, "not closed by the deadline");
    process.exit(1);
  }, deadlineMs);
  deadline.unref();
  try {
    await service.close();
  } catch (error) {
    log.error({ error: messageOf(error) }, "closing failed");
    process.exitCode = 1;
  }
  clearTimeout(deadline);
  if (process.connected) process.disconnect();
}
