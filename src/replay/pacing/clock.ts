/**
 * The monotonic clock of this machine, in milliseconds: the same in every thread and process, unlike
 * `performance.now()`, whose origin is the thread's own, and it never steps, unlike the wall clock.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
