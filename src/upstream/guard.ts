import { lookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { Agent, buildConnector } from "undici";
import { UnderstudyError } from "../errors.js";
import { classifyAddress } from "./addresses.js";

/** How long a connection may take to come about. */
const connectMs = 5_000;

/** An idle connection is given up before common servers give it up: a request must not meet a closing one. */
export const keepAliveMs = 2_000;

/** An HTTP agent over {@link guardedConnector}. Redirects are not followed. */
export function createGuardedAgent(options: GuardOptions): Agent {
  return agentOver(guardedConnector(options));
}

/** An HTTP agent whose connections are opened so. */
export function agentOver(connect: buildConnector.connector): Agent {
  return new Agent({ connect, keepAliveTimeout: keepAliveMs, headersTimeout: 0, bodyTimeout: 0 });
}

export interface GuardOptions {
  internal: "allow" | readonly string[];
  resolve?: typeof lookup;
  ca?: string[] | undefined;
}

/**
 * Opens connections, and looks at the address it is about to connect to when it connects: what a name resolved to
 * earlier proves nothing. Metadata services are refused always.
 *
 * @param internal whether loopback and private addresses may be reached: all (`allow`), or `host:port` pairs as
 * they stand in the URL.
 * @param resolve how names are looked up.
 * @param ca certificates of the authorities to be trusted, in PEM; default: Node's own.
 */
export function guardedConnector(options: GuardOptions): buildConnector.connector {
  const { internal, resolve = lookup, ca } = options;
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

  const guardedLookup =
    (hostAndPort: string): LookupFunction =>
    (hostname, lookupOptions, callback) => {
      resolve(hostname, { ...lookupOptions, all: true }, (error, found) => {
        if (error) return callback(error, []);
        const good = found.filter(({ address }) => permitted(address, hostAndPort));
        const first = good[0];
        if (!first) {
          const addresses = found.map(({ address }) => address);
          return callback(refused(hostAndPort, addresses), []);
        }
        if (lookupOptions.all) return callback(null, good);
        callback(null, first.address, first.family);
      });
    };

  return (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/g, "");
    const port = target.port || (target.protocol === "https:" ? "443" : "80");
    const hostAndPort = `${target.hostname}:${port}`;
    // The system is not asked to look an address up, so the lookup below would not see it.
    if (isIP(host) !== 0 && !permitted(host, hostAndPort)) {
      callback(refused(hostAndPort, [host]), null);
      return;
    }
    buildConnector({
      timeout: connectMs,
      lookup: guardedLookup(hostAndPort),
      // Said here, so that no variable of the environment can turn it off.
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
    })(target, callback);
  };
}
