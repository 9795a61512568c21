/**
 * The monotonic clock of this machine, in milliseconds: the same in every thread, unlike `performance.now()`, whose
 * origin is the thread's own, and it never steps, unlike the wall clock.
 */
export function createClock(): () => number {
  const originMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  return () => originMs + performance.now();
}
