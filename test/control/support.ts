import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { request } from "undici";
import { type BlobStore, createBlobStore } from "../../src/blobs/blobs.js";
import { type Config, loadConfig } from "../../src/config.js";
import { startControl } from "../../src/control/service.js";
import { digitsDir } from "../../src/paths.js";
import { createUpstream } from "../../src/upstream/client.js";
import { openWorld, type World } from "../store/support.js";

export const silent = pino({ level: "silent" });

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what came over the wire, not at what types promise
  body: any;
}

export interface Sending {
  body?: unknown;
  /** Sent as it is. */
  text?: string;
  headers?: Record<string, string>;
}

/** A control plane over a database and a blob store of its own, reached over HTTP. */
export interface TestControl extends World {
  config: Config;
  blobs: BlobStore;
  origin: string;
  /** Path from the root; or, without a leading `/api`, below `/api/v1`. */
  call(method: string, path: string, sending?: Sending): Promise<Answer>;
  close(): Promise<void>;
}

export async function openControl(over: Partial<Config> = {}): Promise<TestControl> {
  const world = await openWorld();
  const dataDir = await mkdtemp(join(tmpdir(), "understudy-control-"));
  const settings = {
    UNDERSTUDY_DATA_DIR: dataDir,
    UNDERSTUDY_CONTROL_PORT: "0",
    UNDERSTUDY_MODELS_DIR: digitsDir,
    UNDERSTUDY_SECRET_TOKEN: "sesame",
  };
  const config = { ...loadConfig(settings), ...over };
  const upstream = createUpstream({ config });
  const blobs = await createBlobStore(config);
  const service = await startControl({ config, log: silent, store: world.store, blobs, upstream });
  const origin = `http://127.0.0.1:${service.ready.port}`;
  return {
    ...world,
    config,
    blobs,
    origin,
    call: (method, path, sending) =>
      call(method, origin + (/^\/(api|\w+z$|metrics)/.test(path) ? "" : "/api/v1") + path, sending),
    async close() {
      await service.close();
      await upstream.close();
      await world.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export async function call(
  method: string,
  url: string,
  { body, text, headers }: Sending = {},
): Promise<Answer> {
  const content = text ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await request(url, {
    method: method as "GET",
    headers: { ...(content === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(content === undefined ? {} : { body: content }),
  });
  const received = await response.body.text();
  const isJson = /json/.test(String(response.headers["content-type"]));
  return {
    status: response.statusCode,
    headers: response.headers,
    body: isJson ? JSON.parse(received) : received,
  };
}

/** A V2 server with every model but `unknown`, as far as registration looks at it. */
export async function openModelServer(
  tensors: { inputs?: object[]; outputs?: object[] } = {},
): Promise<{ url: string; asked: string[]; close(): Promise<void> }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.headers.authorization ?? "-"} ${request.url}`);
    const known = /^\/v2(?:\/models\/(?!unknown\b)([^/]+)(\/versions\/1)?(\/ready)?)?$/.exec(
      request.url ?? "",
    );
    response.writeHead(known ? 200 : 404, { "content-type": "application/json" });
    const metadata = {
      name: known?.[1],
      versions: ["1"],
      platform: "test",
      inputs: [],
      outputs: [],
      ...tensors,
    };
    response.end(JSON.stringify(known ? metadata : { error: "unknown model" }));
  });
  return { url: await listening(server), asked, close: () => closed(server) };
}

export async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
