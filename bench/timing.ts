/** One of those that are compared: does its work once or a few times, and returns the seconds that one took. */
export type Contestant = () => number | Promise<number>;

/**
 * Lets all contestants take turns, in an order that turns as well, so that what else the machine does meets them alike.
 *
 * @returns seconds of each, round by round
 */
export async function takeTurns<Name extends string>(
  contestants: Readonly<Record<Name, Contestant>>,
  rounds: number,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contestants) as Name[];
  const seconds = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length]!;
      seconds[name].push(await contestants[name]());
    }
  }
  return seconds;
}

/** How many times as fast ours is as a peer, by the lower quartiles of their turns. */
export function speedup(peer: readonly number[], ours: readonly number[]): number {
  return lowerQuartile(peer) / lowerQuartile(ours);
}

/** Unlike the median, it hardly sees the turns in which something else had the processor. */
export function lowerQuartile(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 4)]!;
}

/** Seconds that one call takes, from `repeats` of them after one that does not count. */
export function secondsOf(call: () => unknown, repeats: number): number {
  call();
  const start = process.hrtime.bigint();
  for (let i = 0; i < repeats; i++) call();
  return Number(process.hrtime.bigint() - start) / 1e9 / repeats;
}
