import type { AddressInfo } from "node:net";
import { createServer } from "node:net";

/** A TCP port that is free on `host` right now, for a process that will listen on it in a moment. */
export function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, host, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
