import type { Config } from "../config.js";
import { createUpstreamPool, type UpstreamPool } from "../http1/pool.js";
import type { Logger } from "../log.js";

/** Where a request goes: connections to one origin, and what its paths begin with. */
export interface Primary {
  readonly pool: UpstreamPool;
  /** Before `/v2`; empty, or `/something`. */
  readonly prefix: string;
  /** Requests that have no whole answer yet, of this process. */
  inFlight: number;
}

/** One replica, or several that answer alike. */
export interface PrimaryGroup {
  readonly replicas: readonly Primary[];
  /** The one with the fewest requests under way, those that refuse connections left out unless all do. */
  choose(): Primary;
}

/** Connections to primaries, one pool for each origin, kept while any route uses it. */
export interface Primaries {
  /** @param urls `http(s)://host[:port][/prefix]`, one at least */
  group(urls: readonly string[]): PrimaryGroup;
  /** Closes the pools of all other urls, once what is under way on them has ended. */
  keepOnly(urls: ReadonlySet<string>): void;
  close(): Promise<void>;
}

interface Origin {
  pool: UpstreamPool;
  /** On `clock`: until then it is asked only if there is no other. */
  avoidUntilMs: number;
}

/** A primary that is away fails every request, and a line in this time says as much as one for each. */
const sayAgainMs = 10_000;

/**
 * @param deps.limits timeouts, connections, and for how long a replica that refuses connections is left out
 * @param deps.ca certificates of the authorities to be trusted, in PEM; default: Node's own
 */
export function createPrimaries(deps: {
  limits: Config["gateway"];
  ca?: string[] | undefined;
  log: Logger;
  clock?: () => number;
}): Primaries {
  const { limits, ca, log, clock = () => performance.now() } = deps;
  const origins = new Map<string, Origin>();
  const replicas = new Map<string, Primary>();

  function originOf(origin: string): Origin {
    const known = origins.get(origin);
    if (known !== undefined) return known;
    const { primaryConnections } = limits;
    let sayFromMs = Number.NEGATIVE_INFINITY;
    const pool = createUpstreamPool(origin, {
      // 0: as many as clients have requests, so that the primary sees the concurrency that it would see without us.
      connectionsMax: primaryConnections === 0 ? null : primaryConnections,
      waitingMax: limits.primaryWaitingMax,
      idleMs: limits.primaryKeepAliveMs,
      headBytesMax: limits.headBytesMax,
      headersMs: limits.primaryAnswerMs,
      bodyMs: limits.primarySilenceMs,
      connectMs: limits.primaryConnectMs,
      ca,
      // Only connections that did not come about are told here; what was sent is nobody's to send again.
      onConnectFailure: (error: NodeJS.ErrnoException) => {
        const now = clock();
        made.avoidUntilMs = now + limits.primaryAvoidMs;
        if (now < sayFromMs) return;
        sayFromMs = now + sayAgainMs;
        // Clients are told a code alone. Where a name has several addresses the error has no words.
        const reason = error.message || error.code;
        log.warn({ primary: origin, error: reason }, "a primary cannot be reached");
      },
    });
    const made: Origin = { pool, avoidUntilMs: Number.NEGATIVE_INFINITY };
    origins.set(origin, made);
    return made;
  }

  function at(url: string): Primary {
    let replica = replicas.get(url);
    if (replica === undefined) {
      const { origin, pathname } = new URL(url);
      replica = { pool: originOf(origin).pool, prefix: pathname.replace(/\/+$/, ""), inFlight: 0 };
      replicas.set(url, replica);
    }
    return replica;
  }

  return {
    group(urls) {
      const members = urls.map((url) => ({ replica: at(url), origin: originOf(new URL(url).origin) }));
      const [only] = members;
      if (members.length === 1) return { replicas: [only!.replica], choose: () => only!.replica };
      let turn = 0;
      return {
        replicas: members.map(({ replica }) => replica),
        choose() {
          const now = clock();
          const sound = members.filter(({ origin }) => origin.avoidUntilMs <= now);
          const eligible = sound.length === 0 ? members : sound;
          // Of those that are equally busy each has its turn.
          turn += 1;
          let best = eligible[turn % eligible.length]!.replica;
          for (const { replica } of eligible) if (replica.inFlight < best.inFlight) best = replica;
          return best;
        },
      };
    },

    keepOnly(urls) {
      for (const url of replicas.keys()) if (!urls.has(url)) replicas.delete(url);
      const used = new Set([...urls].map((url) => new URL(url).origin));
      for (const [origin, { pool }] of origins) {
        if (used.has(origin)) continue;
        origins.delete(origin);
        pool.close();
      }
    },

    async close() {
      for (const { pool } of origins.values()) pool.destroy();
    },
  };
}
