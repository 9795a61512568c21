import { specials, stagedCandidate, stagedPrimary } from "./memory";

/**
 * Stages a block with 0 in place of every pair that is not finite on both sides, so that it adds nothing, and lists
 * those pairs for the host to judge.
 *
 * @param first place of the block's first pair in its chunk
 * @param listed how many pairs of this chunk are listed already
 * @returns how many are now
 */
export function maskSpecials<T>(
  primary: usize,
  candidate: usize,
  count: i32,
  first: i32,
  listed: i32,
): i32 {
  for (let i = 0; i < count; i++) {
    const offset = (<usize>i) * sizeof<T>();
    let p = load<T>(primary + offset);
    let c = load<T>(candidate + offset);
    if (!(isFinite<T>(p) && isFinite<T>(c))) {
      const at = specials + (<usize>listed) * 24;
      store<f64>(at, <f64>(first + i));
      store<f64>(at, <f64>p, 8);
      store<f64>(at, <f64>c, 16);
      listed++;
      p = <T>0;
      c = <T>0;
    }
    store<T>(stagedPrimary + offset, p);
    store<T>(stagedCandidate + offset, c);
  }
  return listed;
}
