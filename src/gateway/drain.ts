import type { Server, ServerResponse } from "node:http";
import { Server as NetServer } from "node:net";

/**
 * How long a kept connection may go on being idle once the server closes. Its client's next request may be on its way
 * already: closing at once would reset it unanswered. Answered within this time, it is told `Connection: close`.
 */
const idleGraceMs = 500;

/**
 * Stops accepting, lets what is under way finish within the deadline, then cuts it off. Resolves when no connection
 * is left. The caller sees to it that every answer from now on ends its connection ({@link lastIfClosing}).
 */
export async function drainConnections(server: Server, deadlineMs: number): Promise<void> {
  // An HTTP server's own `close` would cut idle connections off at once.
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
  // A connection becomes idle when its answer has gone out, and would be kept for its client's next request.
  let sweep: NodeJS.Timeout | undefined;
  const grace = setTimeout(() => {
    sweep = setInterval(() => server.closeIdleConnections(), 50);
  }, idleGraceMs);
  const deadline = setTimeout(() => server.closeAllConnections(), deadlineMs);
  await closed;
  clearTimeout(grace);
  clearInterval(sweep);
  clearTimeout(deadline);
  // What an HTTP server has beside its socket: the timer that checks on slow clients.
  server.close();
}

/**
 * To be called before an answer's head goes out. Of a server that closes it is the last on its connection, and its
 * client is told: whoever keeps the connection holds up the end, or sends the next request into it.
 */
export function lastIfClosing(response: ServerResponse, state: { readonly closing: boolean }): void {
  if (state.closing) response.shouldKeepAlive = false;
}
