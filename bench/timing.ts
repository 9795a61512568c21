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

/** How many times as fast ours is as a peer, by the fastest turn of each. */
export function speedup(peer: readonly number[], ours: readonly number[]): number {
  return fastest(peer) / fastest(ours);
}

/** What the work takes when nothing else has the processor: on a busy machine all other turns measure the others. */
export function fastest(seconds: readonly number[]): number {
  return Math.min(...seconds);
}

/** How often work is timed in one turn, and how many calls are timed together. */
export interface Turn {
  times: number;
  calls: number;
}

/** Seconds that one call takes: the fastest of so many times. */
export function secondsOf(call: () => unknown, { times, calls }: Turn): number {
  const seconds = Array.from({ length: times }, () => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) call();
    return Number(process.hrtime.bigint() - start) / 1e9 / calls;
  });
  return fastest(seconds);
}
