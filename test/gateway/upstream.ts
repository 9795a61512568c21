import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A real HTTP server that stands for a primary. */
export interface TestUpstream {
  readonly url: string;
  readonly port: number;
  /** Heads of the requests that came, in order. */
  readonly seen: { method: string; url: string; rawHeaders: string[] }[];
  close(): Promise<void>;
}

export async function startUpstream(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<TestUpstream> {
  const seen: TestUpstream["seen"] = [];
  const server = createServer(
    { keepAliveTimeout: 60_000, maxHeaderSize: 128 * 1024 },
    (request, response) => {
      seen.push({ method: request.method!, url: request.url!, rawHeaders: request.rawHeaders });
      handle(request, response);
    },
  );
  // All headers are seen, and heads may be as long as the gateway's.
  server.maxHeadersCount = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A request of one FP32 input, as JSON. */
export function inferRequest(values: number[] = [1, 2, 3], more: object = {}): string {
  const input = { name: "x", datatype: "FP32", shape: [values.length], data: values };
  return JSON.stringify({ inputs: [input], ...more });
}

/** Answers every infer request as version 7 of the model, with its input; everything else with its path. */
export function echoModel(request: IncomingMessage, response: ServerResponse): void {
  void bodyOf(request).then((body) => {
    const model = /^\/v2\/models\/([^/]+)(?:\/versions\/[^/]+)?\/infer/.exec(request.url!)?.[1];
    const outputs = [{ name: "y", datatype: "INT32", shape: [1], data: [body.length] }];
    const answer =
      model === undefined ? { path: request.url } : { model_name: model, model_version: "7", outputs };
    const text = JSON.stringify(answer);
    response.writeHead(200, {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(text),
    });
    response.end(text);
  });
}
