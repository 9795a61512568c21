import { once } from "node:events";
import type { Server } from "node:http";

/** How long requests in progress may take to end once the server closes. */
const drainMs = 3_000;

/** Takes no more connections, and waits a while for what is in progress. */
export async function drain(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(cut);
}
