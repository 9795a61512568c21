// Main script of the bare sender: a thread that waits to deadlines and writes, and does nothing else; it does not even read
// as long as it has to send.
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { monotonicMs } from "../../src/replay/pacing/clock.js";
import { modelPath, requestBody } from "./requests.js";

const { port, ids, atMs } = workerData as { port: number; ids: Int32Array; atMs: Float64Array };
const pauseMs = 1_000;
const cell = new Int32Array(new SharedArrayBuffer(4));
const socket = connect({ port, host: "127.0.0.1", noDelay: true });
await once(socket, "connect");
const pieces = Array.from(ids, (id) => {
  const body = requestBody(id);
  const head = `POST ${modelPath} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
});
// Flows only when the loop turns: in the pauses between two blocks.
socket.resume();
for (const [place, due] of atMs.entries()) {
  if (due - monotonicMs() > pauseMs) await sleep(pauseMs / 2);
  const waitMs = due - monotonicMs();
  if (waitMs > 0) Atomics.wait(cell, 0, 0, waitMs);
  socket.write(pieces[place]!);
}
setTimeout(() => {
  socket.destroy();
  parentPort!.postMessage("done");
}, 1_000);
