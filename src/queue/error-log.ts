import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";

/** Of errors that repeat, one line in this time tells enough. */
const quietMs = 10_000;

/**
 * A listener for `error` events that logs each message at most once in ten seconds, with the number of those it
 * swallowed: an unreachable server makes the drivers emit the same error without end.
 */
export function createErrorLog(log: Logger, text: string): (error: unknown) => void {
  const seen = new Map<string, { loggedAtMs: number; swallowed: number }>();
  return (error) => {
    const message = messageOf(error).slice(0, 200);
    const nowMs = performance.now();
    const last = seen.get(message);
    if (last && nowMs - last.loggedAtMs < quietMs) {
      last.swallowed += 1;
      return;
    }
    if (seen.size >= 100) seen.clear();
    seen.set(message, { loggedAtMs: nowMs, swallowed: 0 });
    log.warn({ error: message, ...(last?.swallowed ? { repeated: last.swallowed } : {}) }, text);
  };
}
