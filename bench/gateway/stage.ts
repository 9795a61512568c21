import { freePort } from "../../src/process/free-port.js";
import type { BenchContext } from "../bench.js";
import { cores } from "./machine.js";
import { type Nginx, startNginx } from "./nginx.js";

/** The peers, and who answers them all: an nginx that has one answer for everything. */
export interface Stage {
  readonly direct: number;
  readonly plain: number;
  readonly mirror: number;
  /** As `mirror`, but its candidate takes its time. */
  readonly stalled: number;
  readonly proxy: Nginx;
}

const port = () => freePort("127.0.0.1");

/**
 * @param options.answer JSON, with no quotation mark that ends an nginx string
 * @param options.stalledCandidate port of one that answers late
 */
export async function startStage(
  options: { folder: string; answer: string; stalledCandidate: number },
  context: BenchContext,
): Promise<Stage> {
  const { folder, answer, stalledCandidate } = options;
  const [direct, candidate, plain, mirror, stalled] = await Promise.all([
    port(),
    port(),
    port(),
    port(),
    port(),
  ]);
  await startNginx(
    {
      folder,
      name: "upstream",
      core: cores.rest,
      port: direct,
      http: `server { listen 127.0.0.1:${direct}; listen 127.0.0.1:${candidate}; location / { return 200 '${answer}'; } }`,
    },
    context,
  );
  const upstream = (name: string, port: number) =>
    `upstream ${name} { server 127.0.0.1:${port}; keepalive 512; keepalive_requests 1000000000; }`;
  const mirroring = (port: number, target: string) =>
    `server {
    listen 127.0.0.1:${port};
    location / { mirror /mirror; proxy_pass http://primary; }
    location = /mirror { internal; proxy_pass http://${target}$request_uri; }
  }`;
  const proxy = await startNginx(
    {
      folder,
      name: "proxy",
      core: cores.proxy,
      port: plain,
      http: `proxy_http_version 1.1;
  proxy_set_header Connection "";
  ${upstream("primary", direct)}
  ${upstream("candidate", candidate)}
  ${upstream("stalled", stalledCandidate)}
  server { listen 127.0.0.1:${plain}; location / { proxy_pass http://primary; } }
  ${mirroring(mirror, "candidate")}
  ${mirroring(stalled, "stalled")}`,
    },
    context,
  );
  return { direct, plain, mirror, stalled, proxy };
}
