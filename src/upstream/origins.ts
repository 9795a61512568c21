import { createUpstreamPool, type UpstreamCall, type UpstreamPool } from "../http1/pool.js";
import type { UpstreamHandler, UpstreamRequest } from "../http1/upstream-connection.js";
import { connectMs, type Guard, keepAliveMs } from "./guard.js";

/** Origins that are remembered; of more, the oldest are let go. */
const originsMax = 1_000;
const headBytesMax = 16 * 1024;

/** Connections to endpoints, a pool for each origin; addresses are looked at when they are connected to. */
export interface Origins {
  /** The handler may be told of an error before this returns: of an address that is refused. */
  dispatch(origin: string, request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall;
  /** Opens as many connections as are missing to so many idle ones. They are given up after a while. */
  keep(origin: string, connections: number): void;
  /** Ends all connections; requests under way fail. */
  close(): void;
}

/**
 * @param options.ca certificates of the authorities to be trusted, in PEM; default: Node's own
 * @param options.atOnce requests have their time, and wait for no turn of the event loop to end
 */
export function createOrigins(
  guard: Guard,
  options: { ca: readonly string[] | undefined; atOnce: boolean },
): Origins {
  const pools = new Map<string, UpstreamPool | Error>();
  let closed = false;

  /** What is refused stays refused: a host that is an address leads nowhere else. */
  function poolOf(origin: string): UpstreamPool | Error {
    if (closed) return new Error("the client is closed");
    const known = pools.get(origin);
    if (known !== undefined) return known;
    if (pools.size >= originsMax) {
      const [name, oldest] = pools.entries().next().value!;
      pools.delete(name);
      if (!(oldest instanceof Error)) oldest.close();
    }
    const made = guard.refusal(origin) ?? openPool(origin);
    pools.set(origin, made);
    return made;
  }

  function openPool(origin: string): UpstreamPool {
    return createUpstreamPool(origin, {
      // How many requests are under way is not this module's to limit.
      connectionsMax: null,
      waitingMax: 0,
      idleMs: keepAliveMs,
      headBytesMax,
      // The deadline of an exchange is over everything.
      headersMs: Number.POSITIVE_INFINITY,
      bodyMs: Number.POSITIVE_INFINITY,
      connectMs,
      lookup: guard.lookup(origin),
      ...options,
    });
  }

  return {
    dispatch(origin, request, handler) {
      const pool = poolOf(origin);
      if (!(pool instanceof Error)) return pool.dispatch(request, handler);
      handler.onError(pool);
      return { write: () => true, end() {}, resume() {}, abort() {} };
    },
    keep(origin, connections) {
      const pool = poolOf(origin);
      if (!(pool instanceof Error)) pool.keep(connections);
    },
    close() {
      closed = true;
      for (const pool of pools.values()) if (!(pool instanceof Error)) pool.destroy();
    },
  };
}
