import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import type { BenchContext } from "../bench.js";
import { answerOf } from "./requests.js";

/**
 * A candidate that costs next to nothing, so that what is measured is who asks it: one answer for every request, so
 * many milliseconds after its last byte. It reads no more of HTTP/1.1 than where a request ends.
 */
function serve(afterMs: number): void {
  const body = Buffer.from(answerOf(0));
  const answer = Buffer.concat([
    Buffer.from(
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: keep-alive\r\n\r\n`,
    ),
    body,
  ]);
  const server = createServer({ noDelay: true }, (socket) => answerAll(socket, answer, afterMs));
  server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as { port: number }).port }));
  process.once("disconnect", () => process.exit(0));
}

function answerAll(socket: Socket, answer: Buffer, afterMs: number): void {
  let held = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    for (;;) {
      const headEnd = held.indexOf("\r\n\r\n");
      if (headEnd < 0) return;
      const length = /\r\ncontent-length: *(\d+)/i.exec(held.toString("latin1", 0, headEnd));
      const end = headEnd + 4 + Number(length?.[1] ?? 0);
      if (held.length < end) return;
      held = held.subarray(end);
      if (afterMs === 0) socket.write(answer);
      else setTimeout(() => socket.write(answer), afterMs);
    }
  });
}

/** Starts one in a process of its own; returns its URL. */
export async function startCandidate(afterMs: number, { onEnd }: BenchContext): Promise<string> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), [String(afterMs)], { execArgv: [] });
  onEnd(() => child.disconnect());
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  return `http://127.0.0.1:${port}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serve(Number(process.argv[2]));
