import { connect, type Socket } from "node:net";
import type { Shot } from "./wrk.js";

/** What clients had to wait, in milliseconds, from the moment at which a request should have gone out. */
export interface Latencies {
  p50: number;
  p99: number;
}

interface Client {
  socket: Socket;
  /** When the request that it waits for should have gone out. */
  intendedMs: number;
}

/**
 * Sends `seconds × perSecond` requests, each at its own time, whether the ones before it are answered or not. Idle
 * connections are taken newest first, as clients' pools do.
 *
 * @throws when an answer is not the expected one
 */
export async function sendAtRate(
  port: number,
  shot: Shot,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<Latencies & { count: number }> {
  const head = Object.entries(shot.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = Buffer.concat([
    Buffer.from(
      `POST ${shot.path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: ${shot.body.length}\r\n${head.join("")}\r\n`,
    ),
    shot.body,
  ]);
  const count = Math.round(perSecond * seconds);
  const waits = new Float64Array(count);
  const idle: Client[] = [];
  const all: Socket[] = [];
  const startMs = performance.now() + 20;
  let begun = 0;
  let ended = 0;

  await new Promise<void>((resolve, reject) => {
    function open(): Client {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      const client: Client = { socket, intendedMs: 0 };
      all.push(socket);
      let text = "";
      socket.setEncoding("latin1");
      socket.on("data", (part: string) => {
        const nowMs = performance.now();
        text += part;
        const bodyAt = text.indexOf("\r\n\r\n") + 4;
        if (bodyAt < 4 || text.length - bodyAt < shot.answer.length) return;
        if (!text.startsWith("HTTP/1.1 200 ") || text.slice(bodyAt) !== shot.answer) {
          reject(new Error(`a wrong answer: ${text}`));
          return;
        }
        text = "";
        waits[ended] = nowMs - client.intendedMs;
        ended += 1;
        idle.push(client);
        if (ended === count) resolve();
      });
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the connection was closed")));
      return client;
    }

    // A timer would be late by up to a millisecond, which is more than what is measured.
    function turn(): void {
      const nowMs = performance.now();
      while (begun < count) {
        const intendedMs = startMs + (begun * 1000) / perSecond;
        if (intendedMs > nowMs) break;
        const client = idle.pop() ?? open();
        client.intendedMs = intendedMs;
        client.socket.write(request);
        begun += 1;
      }
      if (begun < count) setImmediate(turn);
    }
    turn();
  }).finally(() => {
    for (const socket of all) socket.removeAllListeners("close").destroy();
  });

  waits.sort();
  const at = (share: number) => waits[Math.min(count - 1, Math.floor(share * count))]!;
  return { p50: at(0.5), p99: at(0.99), count };
}
