import { Pool } from "undici";
import { headBytesMax, primaryBodyMs, primaryConnectMs, primaryHeadersMs } from "./limits.js";

/** Where requests go: connections to one origin, and what its paths begin with. */
export interface Primary {
  readonly pool: Pool;
  /** Before `/v2`; empty, or `/something`. */
  readonly prefix: string;
}

/** Connections to primaries, one pool for each origin, kept while any route uses it. */
export interface Primaries {
  /** @param url `http(s)://host[:port][/prefix]` */
  at(url: string): Primary;
  /** Closes the pools of all other urls, once what is under way on them has ended. */
  keepOnly(urls: ReadonlySet<string>): void;
  close(): Promise<void>;
}

export function createPrimaries(): Primaries {
  const pools = new Map<string, Pool>();

  function poolOf(origin: string): Pool {
    let pool = pools.get(origin);
    if (pool === undefined) {
      // As many connections as clients have requests: the primary sees the concurrency that it would see without us.
      pool = new Pool(origin, {
        connections: null,
        pipelining: 1,
        maxHeaderSize: headBytesMax,
        headersTimeout: primaryHeadersMs,
        bodyTimeout: primaryBodyMs,
        connect: { timeout: primaryConnectMs },
      });
      pools.set(origin, pool);
    }
    return pool;
  }

  return {
    at(url) {
      const { origin, pathname } = new URL(url);
      return { pool: poolOf(origin), prefix: pathname.replace(/\/+$/, "") };
    },

    keepOnly(urls) {
      const origins = new Set([...urls].map((url) => new URL(url).origin));
      for (const [origin, pool] of pools) {
        if (origins.has(origin)) continue;
        pools.delete(origin);
        pool.close().catch(() => {});
      }
    },

    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()));
    },
  };
}
