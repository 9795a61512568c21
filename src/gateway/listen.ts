import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { UnderstudyError } from "../errors.js";

/**
 * Listens on a port; 0 means any free one. Returns the port.
 * @throws UnderstudyError `port_in_use`
 */
export async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE" && error.code !== "EACCES") {
        reject(error);
        return;
      }
      const why = error.code === "EACCES" ? "may not be opened by this user" : "is in use";
      reject(
        new UnderstudyError("port_in_use", `The gateway's port ${host}:${port} ${why}`, {
          hint: "Stop what listens there, or set UNDERSTUDY_GATEWAY_PORT to another port (0: any free one).",
          cause: error,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}

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
