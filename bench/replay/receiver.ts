// Main script of the process that receives: tells when each request arrived, by the machine's monotonic clock.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { monotonicMs } from "../../src/replay/pacing/clock.js";
import { answer } from "./requests.js";

let arrivals: [number, number][] = [];
const server = createServer((request, response) => {
  const atMs = monotonicMs();
  let text = "";
  request.setEncoding("latin1");
  request.on("data", (chunk: string) => {
    text += chunk;
  });
  request.on("end", () => {
    arrivals.push([JSON.parse(text).id as number, atMs]);
    response.writeHead(200, { "content-type": "application/json", "content-length": answer.length });
    response.end(answer);
  });
});
server.keepAliveTimeout = 120_000;
process.on("message", () => {
  process.send!({ arrivals });
  arrivals = [];
});
process.on("disconnect", () => process.exit());
server.listen(0, "127.0.0.1", () => process.send!({ port: (server.address() as AddressInfo).port }));
