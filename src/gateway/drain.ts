import type { Server } from "node:http";

/**
 * Stops accepting, lets what is under way finish within the deadline, then cuts it off. Resolves when no connection
 * is left.
 */
export async function drainConnections(server: Server, deadlineMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection becomes idle when its answer has gone out, and would be kept for its client's next request.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const deadline = setTimeout(() => server.closeAllConnections(), deadlineMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(deadline);
}
