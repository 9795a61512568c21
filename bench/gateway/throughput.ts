import { setTimeout as sleep } from "node:timers/promises";
import type { BenchContext } from "../bench.js";
import { takeTurns } from "../timing.js";
import { cpuSecondsOf } from "./machine.js";
import { type Backing, countsWhen, type GatewayUnderTest } from "./product.js";
import type { Wrk } from "./wrk.js";

/** One of those that are loaded in turn. */
export interface ProxyUnderTest {
  readonly port: number;
  readonly pid: number;
  /**
   * Before each turn; what it returns is called after it, and resolves when all that the turn's requests left behind
   * has been done. @throws when something was lost
   */
  watch?(): Promise<(requests: number) => Promise<void>>;
}

export interface Load {
  wrk: Wrk;
  requests: number;
  connections: number;
  /**
   * Rounds before those that count: a gateway serves for days, and the first tens of thousands of its requests, until
   * Node has compiled what is used much, take up to twice as much processor time as the later ones.
   */
  warmUpRounds: number;
  rounds: number;
}

/**
 * Loads each proxy in turn, interleaved. Work that a proxy put off until after its turn counts as if it had been done
 * in it: on one core, the processor seconds that it takes are seconds in which no request is served.
 *
 * @returns requests per second of each, the median of the rounds
 */
export async function throughputs<Name extends string>(
  title: string,
  proxies: Readonly<Record<Name, ProxyUnderTest>>,
  { wrk, requests, connections, warmUpRounds, rounds }: Load,
  { say }: BenchContext,
): Promise<Record<Name, number>> {
  const names = Object.keys(proxies) as Name[];
  const microseconds = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<
    Name,
    number[]
  >;

  const turn = (name: Name) => async () => {
    const { port, pid, watch } = proxies[name];
    const settle = await watch?.();
    const before = cpuSecondsOf(pid);
    const seconds = await wrk.run(port, requests, connections);
    const loaded = cpuSecondsOf(pid);
    await settle?.(requests);
    const settled = cpuSecondsOf(pid);
    microseconds[name].push(((settled - before) * 1e6) / requests);
    return seconds + (settled - loaded);
  };
  const turns = Object.fromEntries(names.map((name) => [name, turn(name)])) as Record<
    Name,
    () => Promise<number>
  >;
  await takeTurns(turns, warmUpRounds);
  for (const name of names) microseconds[name].length = 0;
  const seconds = await takeTurns(turns, rounds);

  const perSecond = Object.fromEntries(
    names.map((name) => [name, requests / median(seconds[name])]),
  ) as Record<Name, number>;
  for (const name of names) {
    const cpu = median(microseconds[name]).toFixed(1);
    say(
      `${title}  ${name.padEnd(8)} ${perSecond[name].toFixed(0).padStart(6)}/s, ${cpu} µs of processor a request`,
    );
  }
  return perSecond;
}

/** A gateway whose captures end in its spool. */
export function spooling(gateway: GatewayUnderTest): ProxyUnderTest {
  return {
    ...gateway,
    async watch() {
      const before = await countsWhen(gateway, ({ bufferBytes }) => bufferBytes === 0);
      return async (requests) => {
        const all = before.spooled + requests;
        const after = await countsWhen(gateway, ({ spooled, dropped }) => spooled + dropped >= all);
        expectAll(requests, { ...after, received: after.received - before.received });
      };
    },
  };
}

/** A gateway whose captures end in catalogued segments. */
export function shipping(gateway: GatewayUnderTest, { store, deploymentId }: Backing): ProxyUnderTest {
  const read = () => store.ledger.read(deploymentId, { fromMs: null, toMs: null });
  return {
    ...gateway,
    async watch() {
      const before = await read();
      return async (requests) => {
        const deadlineMs = performance.now() + 60_000;
        let after = await read();
        while (after.captured < before.captured + requests && performance.now() < deadlineMs) {
          await sleep(50);
          after = await read();
        }
        const { spoolBytes } = await countsWhen(gateway, (counts) => counts.spoolBytes === 0);
        if (!after.balanced || spoolBytes > 0) throw new Error(`not settled: ${JSON.stringify(after)}`);
        const { dropped } = await gateway.counts();
        expectAll(requests, { received: after.received - before.received, dropped });
      };
    },
  };
}

/** A gateway whose spool is full: it must say of every request that it was dropped. */
export function dropping(gateway: GatewayUnderTest): ProxyUnderTest {
  return {
    ...gateway,
    async watch() {
      const before = await gateway.counts();
      const ended = before.dropped + before.spooled;
      return async (requests) => {
        const after = await countsWhen(gateway, (now) => now.dropped + now.spooled >= ended + requests);
        if (after.dropped === before.dropped) throw new Error("nothing was dropped: the spool was not full");
      };
    },
  };
}

function expectAll(requests: number, { received, dropped }: { received: number; dropped: number }): void {
  if (received === requests && dropped === 0) return;
  throw new Error(`of ${requests} requests the gateway received ${received}, and dropped ${dropped}`);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
