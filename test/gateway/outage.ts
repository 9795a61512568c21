import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A door in front of a TCP server: while it is shut nobody gets through, and who was through is cut off. */
export interface Door {
  readonly port: number;
  shut(): Promise<void>;
  open(): Promise<void>;
}

export async function startDoor(targetHost: string, targetPort: number): Promise<Door> {
  const sockets = new Set<Socket>();
  let server: Server | null = null;
  let port = 0;

  async function open(): Promise<void> {
    const opened = createServer((inside) => {
      const outside = connect(targetPort, targetHost);
      for (const [one, other] of [
        [inside, outside],
        [outside, inside],
      ] as const) {
        sockets.add(one);
        one.on("error", () => {});
        one.once("close", () => {
          sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
    await new Promise<void>((resolve) => opened.listen(port, "127.0.0.1", resolve));
    port = (opened.address() as AddressInfo).port;
    server = opened;
  }

  await open();
  return {
    get port() {
      return port;
    },
    open,
    async shut() {
      const closing = server;
      server = null;
      if (closing === null) return;
      const closed = new Promise<void>((resolve) => closing.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** The same database, reached through the door. */
export function throughDoor(databaseUrl: string, door: Door): string {
  const url = new URL(databaseUrl);
  url.hostname = "127.0.0.1";
  url.port = String(door.port);
  return url.href;
}
