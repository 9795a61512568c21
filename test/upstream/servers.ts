import { createServer, type Socket } from "node:net";

/** A server that behaves as it is told, byte by byte, and counts what happened. */
export interface RawServer {
  url: string;
  /** Whole requests that arrived, as text. */
  requests: string[];
  connections: number;
  /** Called with each connection from then on. */
  onConnection(act: (socket: Socket) => void): void;
  /** Bytes that the sockets took from us so far. */
  bytesWritten(): number;
  close(): Promise<void>;
}

/** Calls `answer` with each whole request (head and `Content-Length` body) and its number, from 1. */
export async function startRawServer(
  answer: (socket: Socket, number: number) => void,
  port = 0,
): Promise<RawServer> {
  const sockets = new Set<Socket>();
  let greet: (socket: Socket) => void = () => {};
  const server = createServer((socket) => {
    sockets.add(socket);
    raw.connections += 1;
    greet(socket);
    let text = "";
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (end < 0 || text.length < end + 4 + length) return;
      raw.requests.push(text);
      text = "";
      answer(socket, raw.requests.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const raw: RawServer = {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    requests: [],
    connections: 0,
    onConnection: (act) => {
      greet = act;
    },
    bytesWritten: () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, 0),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
  return raw;
}

/** An HTTP/1.1 answer with a length. */
export const http = (status: number, body = "", headers = "") =>
  `HTTP/1.1 ${status} X\r\nContent-Type: application/json\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
