import { request as httpRequest } from "node:http";
import { connect, type Socket } from "node:net";

/** An answer as it came over the wire. */
export interface WireAnswer {
  status: number;
  statusText: string;
  rawHeaders: string[];
  rawTrailers: string[];
  body: Buffer;
}

export interface WireRequest {
  method?: string;
  path: string;
  headers?: Record<string, string | string[]>;
  body?: Buffer | string;
}

/** Sends one request on a connection of its own. */
export function send(
  port: number,
  { method = "GET", path, headers, body }: WireRequest,
): Promise<WireAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: "127.0.0.1", port, method, path, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", reject);
        response.once("end", () =>
          resolve({
            status: response.statusCode!,
            statusText: response.statusMessage!,
            rawHeaders: response.rawHeaders,
            rawTrailers: response.rawTrailers,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    request.once("error", reject);
    request.end(body);
  });
}

const hopHeaders = new Set(["connection", "keep-alive", "transfer-encoding", "trailer", "date"]);

/** Names and values in order and case, without those that end at each hop. */
export function endToEnd(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, index) => !hopHeaders.has(rawHeaders[index - (index % 2)]!.toLowerCase()));
}

/** A bare connection: sends bytes as they are, and keeps what comes back. */
export interface RawConnection {
  readonly socket: Socket;
  received(): string;
  /** Resolves when the other side has ended or cut the connection. */
  readonly closed: Promise<void>;
}

export async function openRaw(port: number, bytes: string | Buffer): Promise<RawConnection> {
  const socket = connect(port, "127.0.0.1");
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  socket.write(bytes);
  return { socket, received: () => received, closed };
}
