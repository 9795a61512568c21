import { isIPv6 } from "node:net";

/** Addresses that mean "every interface": nobody can connect to them, but to loopback of the same family. */
const loopbackOf: Record<string, string> = { "0.0.0.0": "127.0.0.1", "::": "::1", "0:0:0:0:0:0:0:0": "::1" };

/** Where a server that listens on `host` and `port` is reached from this machine. */
export function urlOf(host: string, port: number): string {
  const reached = loopbackOf[host] ?? host;
  return `http://${isIPv6(reached) ? `[${reached}]` : reached}:${port}`;
}
