import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import type { WorkStore } from "../store/groups.js";
import type { LeasedWork } from "../store/types.js";

/**
 * How long a worker may be silent before its work is another's. With the reconciler's 5 s this takes up the work of a
 * killed worker within 15 s.
 */
export const leaseMs = 8_000;
const heartbeatMs = 2_500;

/** A work in hand. */
export interface HeldWork {
  work: LeasedWork;
  /** Aborted when the lease may have passed to another: whatever is done from then on would be refused. */
  lost: AbortSignal;
  /** Ends the heartbeat: the lease is about to end, or has. An extension under way no longer says anything. */
  drop(): void;
}

/** Leases a work and keeps the lease alive; null when the work is done, dead, or in another's hands. */
export async function holdWork(
  deps: { work: WorkStore; log: Logger; by: string },
  workId: bigint,
): Promise<HeldWork | null> {
  const { work: works, log, by } = deps;
  let renewedMs = performance.now();
  const work = await works.lease(workId, by, leaseMs);
  if (work === null) return null;
  const ending = new AbortController();
  let timer: NodeJS.Timeout;
  let dropped = false;

  async function beat(): Promise<void> {
    const askedMs = performance.now();
    try {
      const extended = await works.extend(workId, work!.lease, leaseMs);
      if (dropped) return;
      // Done: it may have been committed from here this very moment. Had another done it, the commit would say so.
      if (!extended && !(await works.isOpen(workId))) return drop();
      if (!extended) return lose("another worker has it");
      renewedMs = askedMs;
    } catch (error) {
      log.warn({ work: String(workId), error: messageOf(error) }, "lease not extended");
    }
    if (!dropped) timer = setTimeout(beat, heartbeatMs);
  }

  // Extending may hang; that the time is up is known without an answer.
  const watch = setInterval(() => {
    if (performance.now() - renewedMs > leaseMs) lose("it could not be extended in time");
  }, 500);

  function lose(why: string): void {
    if (dropped) return;
    drop();
    log.warn({ work: String(workId), why }, "lease lost");
    ending.abort(new Error(`lease lost: ${why}`));
  }

  function drop(): void {
    dropped = true;
    clearTimeout(timer);
    clearInterval(watch);
  }

  timer = setTimeout(beat, heartbeatMs);
  return { work, lost: ending.signal, drop };
}
