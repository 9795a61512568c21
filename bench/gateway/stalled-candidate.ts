import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { BenchContext } from "../bench.js";

/** A candidate whose every answer takes its time. @returns its port */
export async function startStalledCandidate(
  answer: string,
  stallMs: number,
  { onEnd }: BenchContext,
): Promise<number> {
  const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    request.resume();
    setTimeout(() => {
      response.writeHead(200, {
        "Content-Type": "application/json",
        "Content-Length": Buffer.byteLength(answer),
      });
      response.end(answer);
    }, stallMs);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onEnd(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}
