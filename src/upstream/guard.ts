import { lookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { Agent, buildConnector } from "undici";
import { UnderstudyError } from "../errors.js";
import { classifyAddress } from "./addresses.js";

/** How long a connection may take to come about. */
export const connectMs = 5_000;

/** An idle connection is given up before common servers give it up: a request must not meet a closing one. */
export const keepAliveMs = 2_000;

export interface GuardOptions {
  internal: "allow" | readonly string[];
  resolve?: typeof lookup;
}

/**
 * Looks at the address that is about to be connected to, when it is: what a name resolved to earlier proves nothing.
 * Metadata services are refused always.
 */
export interface Guard {
  /** Why an origin may not be connected to whose host is an address; null: it may, or its host is a name. */
  refusal(origin: string): UnderstudyError | null;
  /** How the name in an origin is looked up: addresses that may not be connected to are left out. */
  lookup(origin: string): LookupFunction;
}

/**
 * @param options.internal whether loopback and private addresses may be reached: all (`allow`), or `host:port` pairs
 * as they stand in the URL.
 * @param options.resolve how names are looked up.
 */
export function createGuard({ internal, resolve = lookup }: GuardOptions): Guard {
  const permitted = (address: string, hostAndPort: string): boolean => {
    switch (classifyAddress(address)) {
      case "forbidden":
        return false;
      case "internal":
        return internal === "allow" || internal.includes(hostAndPort);
      case "public":
        return true;
    }
  };

  const refused = (hostAndPort: string, addresses: readonly string[]) =>
    new UnderstudyError(
      "address_refused",
      `${hostAndPort} leads to ${addresses.join(", ")}, which is refused`,
      {
        hint:
          internal === "allow"
            ? "Metadata and link-local addresses are never contacted; use another address."
            : "If this receiver is yours, add its host:port to UNDERSTUDY_WEBHOOK_ALLOW.",
      },
    );

  return {
    refusal(origin) {
      const { host, hostAndPort } = placeOf(origin);
      return isIP(host) === 0 || permitted(host, hostAndPort) ? null : refused(hostAndPort, [host]);
    },
    lookup(origin) {
      const { hostAndPort } = placeOf(origin);
      return (hostname, options, callback) => {
        resolve(hostname, { ...options, all: true }, (error, found) => {
          if (error) return callback(error, []);
          const good = found.filter(({ address }) => permitted(address, hostAndPort));
          const first = good[0];
          if (!first) {
            const addresses = found.map(({ address }) => address);
            return callback(refused(hostAndPort, addresses), []);
          }
          if (options.all) return callback(null, good);
          callback(null, first.address, first.family);
        });
      };
    },
  };
}

function placeOf(origin: string): { host: string; hostAndPort: string } {
  const { hostname, port, protocol } = new URL(origin);
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    hostAndPort: `${hostname}:${port || (protocol === "https:" ? "443" : "80")}`,
  };
}

/** An agent of undici's behind a guard. Redirects are not followed. */
export function createGuardedAgent(options: GuardOptions): Agent {
  const guard = createGuard(options);
  const connect: buildConnector.connector = (target, callback) => {
    const origin = `${target.protocol}//${target.host ?? target.hostname}`;
    const refusal = guard.refusal(origin);
    // The system is not asked to look an address up, so the lookup below would not see it.
    if (refusal !== null) {
      callback(refusal, null);
      return;
    }
    buildConnector({
      timeout: connectMs,
      lookup: guard.lookup(origin),
      // Said here, so that no variable of the environment can turn it off.
      rejectUnauthorized: true,
    })(target, callback);
  };
  return new Agent({ connect, keepAliveTimeout: keepAliveMs, headersTimeout: 0, bodyTimeout: 0 });
}
