import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { messageOf, UnderstudyError } from "../errors.js";

/** How long requests in progress may take to end once the server closes. */
const drainMs = 3_000;

/**
 * Listens on `port`, 0 being any free one.
 *
 * @throws UnderstudyError `port_in_use` when the address cannot be had
 */
export async function listen(
  server: Server,
  host: string,
  port: number,
): Promise<{ url: string; port: number }> {
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (error) {
    throw new UnderstudyError("port_in_use", `Cannot listen on ${host}:${port}: ${messageOf(error)}.`, {
      hint: "Stop what uses the port, or choose another with --port or UNDERSTUDY_MODEL_SERVER_PORT (0: any free one).",
      cause: error,
    });
  }
  const bound = server.address() as AddressInfo;
  return { url: `http://${host.includes(":") ? `[${host}]` : host}:${bound.port}`, port: bound.port };
}

/** Takes no more connections, and waits a while for what is in progress. */
export async function drain(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(cut);
}
