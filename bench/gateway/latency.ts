import type { BenchContext } from "../bench.js";
import { takeTurns } from "../timing.js";
import { type Latencies, sendAtRate } from "./open-loop.js";
import { median, type ProxyUnderTest } from "./throughput.js";
import type { Shot } from "./wrk.js";

export interface Pace {
  shot: Shot;
  perSecond: number;
  seconds: number;
  rounds: number;
}

/** Sends at a fixed rate through each proxy in turn, interleaved. @returns medians of the rounds' quantiles, in ms */
export async function latencies<Name extends string>(
  title: string,
  proxies: Readonly<Record<Name, Pick<ProxyUnderTest, "port" | "watch">>>,
  { shot, perSecond, seconds, rounds }: Pace,
  { say }: BenchContext,
): Promise<Record<Name, Latencies>> {
  const names = Object.keys(proxies) as Name[];
  const seen = Object.fromEntries(names.map((name) => [name, [] as Latencies[]])) as Record<
    Name,
    Latencies[]
  >;
  const turn = (name: Name) => async () => {
    const { port, watch } = proxies[name];
    const settle = await watch?.();
    const { count, ...waits } = await sendAtRate(port, shot, { perSecond, seconds });
    await settle?.(count);
    seen[name].push(waits);
    return seconds;
  };
  const turns = Object.fromEntries(names.map((name) => [name, turn(name)])) as Record<
    Name,
    () => Promise<number>
  >;
  for (const name of names) await turns[name]();
  for (const name of names) seen[name].length = 0;
  await takeTurns(turns, rounds);
  const middle = (name: Name, pick: (waits: Latencies) => number) => median(seen[name].map(pick));
  return Object.fromEntries(
    names.map((name) => {
      const waits = { p50: middle(name, ({ p50 }) => p50), p99: middle(name, ({ p99 }) => p99) };
      say(`${title}  ${name.padEnd(8)} p50 ${waits.p50.toFixed(3)} ms, p99 ${waits.p99.toFixed(3)} ms`);
      return [name, waits];
    }),
  ) as Record<Name, Latencies>;
}
