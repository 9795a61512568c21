import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { createAnswerKeeper } from "../../src/answers/keeper.js";
import { createAnswerQuota } from "../../src/answers/quota.js";
import { createFileStore } from "../../src/blobs/file-store.js";
import { setApart } from "../../src/capture/bodies.js";
import type { Capture } from "../../src/capture/capture.js";
import { writeSegment } from "../../src/capture/segment.js";
import { newId } from "../../src/ids.js";
import { createGaps } from "../../src/replay/gaps.js";
import { createHosts } from "../../src/replay/hosts.js";
import { createLanes } from "../../src/replay/lanes.js";
import { monotonicMs } from "../../src/replay/pacing/clock.js";
import { createSender } from "../../src/replay/pacing/sender.js";
import type { ReplayDeps } from "../../src/replay/replay-work.js";
import { createSuspects } from "../../src/replay/suspects.js";
import { createTimeLines } from "../../src/replay/time-line.js";
import { createTurns } from "../../src/replay/turns.js";
import type { CaptureRow } from "../../src/store/types.js";
import { createUpstream } from "../../src/upstream/client.js";
import {
  captureRow,
  endpoint,
  newCandidate,
  newDeployment,
  noonMs,
  openWorld,
  segmentCommit,
} from "../store/support.js";

/** A V2 answer with one FP32 output `y`. */
export const answer = (...y: number[]) =>
  JSON.stringify({
    model_name: "m",
    model_version: "1",
    outputs: [{ name: "y", datatype: "FP32", shape: [1, y.length], data: y }],
  });

/** What candidates here say of themselves. */
export const description = { name: "m0", versions: ["3"], platform: "test", inputs: [], outputs: [] };

const request = (x: number) =>
  JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [x] }] });

let sequence = 0;

/** A captured request for `x`, which the primary answered with `[x]`. */
export function capture(x: number, over: Partial<Capture> = {}): Capture {
  const receivedAtMs = noonMs + ++sequence;
  return {
    id: newId(receivedAtMs),
    sequence,
    deploymentId: 1,
    receivedAtMs,
    transport: "http",
    method: "POST",
    path: "/v2/models/digits/infer",
    requestHeaders: { "content-type": "application/json", "x-tag": "kept out" },
    requestBody: Buffer.from(request(x)),
    status: 200,
    responseHeaders: { "content-type": "application/json" },
    responseBody: Buffer.from(answer(x)),
    primaryMs: 2,
    primaryVersion: "1",
    sample: "base",
    rule: "",
    sequencePlace: null,
    tags: {},
    redacted: [],
    subject: null,
    ...over,
  };
}

/** What a candidate received. */
export interface Received {
  path: string;
  headers: IncomingMessage["headers"];
  body: Buffer;
  /** The value of its input, where it is JSON. */
  x: number;
}

/** A candidate that does what `act` says with each request. */
export async function startCandidate(act: (received: Received, response: ServerResponse) => void) {
  const received: Received[] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const one = { path: incoming.url!, headers: incoming.headers, body, x: inputOf(body) };
    received.push(one);
    act(one, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    received,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function inputOf(body: Buffer): number {
  try {
    return JSON.parse(body.toString()).inputs[0].data[0];
  } catch {
    return Number.NaN;
  }
}

export type ReplayWorld = Awaited<ReturnType<typeof openReplayWorld>>;

/** A database, a blob store, a client, and what else a worker needs. */
export async function openReplayWorld() {
  const world = await openWorld();
  const folder = await mkdtemp(join(tmpdir(), "understudy-replay-"));
  const blobs = createFileStore(folder);
  const upstream = createUpstream({ config: { secret: () => undefined } });
  const sender = createSender({ config: { environment: {} } });
  let names = 0;

  /** What one worker process has; each has turns of its own. */
  function worker(over: Partial<ReplayDeps> = {}): ReplayDeps {
    return {
      store: world.store,
      rejudges: world.store.rejudges,
      blobs,
      answers: createAnswerKeeper({
        blobs,
        quota: createAnswerQuota(world.store.answers),
        log: pino({ level: "silent" }),
      }),
      upstream,
      hosts: createHosts({
        config: {} as never,
        log: pino({ level: "silent" }),
        host: () => Promise.reject(new Error("no model server in this test")),
      }),
      turns: createTurns(4),
      lanes: createLanes(),
      gaps: createGaps(),
      suspects: createSuspects(),
      breakers: world.store.breakers,
      onBreaker: () => {},
      log: pino({ level: "silent" }),
      by: "test",
      replayTimeoutMs: 1_000,
      responseBytesMax: 100_000,
      controlShare: 0.1,
      redaction: { key: "a-redaction-key-of-forty-characters-or-so", bytesMax: 100_000 },
      history: {
        replays: world.store.replays,
        sender,
        lines: createTimeLines(world.store.registry.clockMs, monotonicMs),
      },
      ...over,
    };
  }

  return {
    ...world,
    folder,
    blobs,
    upstream,
    worker,

    /** A deployment of its own whose candidates answer at these URLs. */
    async addDeployment(...urls: string[]) {
      const name = `replayed-${++names}`;
      const deployment = await world.store.registry.createDeployment(newDeployment({ name }));
      const candidates = [];
      for (const [n, url] of urls.entries()) {
        candidates.push(
          await world.store.registry.addCandidate(
            name,
            newCandidate({
              name: `c${n}`,
              endpoint: endpoint({ url, model: `m${n}`, version: "3" }),
              metadata: description,
            }),
          ),
        );
      }
      return { deployment, candidates };
    },

    /** Ships captures as one segment; returns its work ids, one for each candidate, and the key of its blob. */
    async addSegment(deploymentId: number, captures: Capture[], largeBytes = Number.POSITIVE_INFINITY) {
      const apart = setApart(
        captures.map((each) => ({ ...each, deploymentId })),
        largeBytes,
      );
      for (const { key, body } of apart.bodies) await blobs.put(key, body);
      const bytes = writeSegment(apart.captures);
      const rows: CaptureRow[] = captures.map((each, row) =>
        captureRow(row, {
          id: each.id,
          receivedAtMs: each.receivedAtMs,
          status: each.status,
          primaryMs: each.primaryMs,
          primaryVersion: each.primaryVersion,
          sample: each.sample,
          tags: each.tags,
          subject: each.subject,
        }),
      );
      const commit = segmentCommit(deploymentId, rows);
      commit.bodies = apart.bodies.map(({ sha256, bytes, refs }) => ({ sha256, bytes, refs }));
      commit.cut.state = "closed";
      commit.segment.sha256 = createHash("sha256").update(bytes).digest("hex");
      commit.segment.bytes = bytes.length;
      await blobs.put(commit.segment.blobKey, bytes);
      const { workIds } = await world.store.catalogue.commitSegment(commit);
      const { blobKey } = commit.segment;
      return { workIds, workId: workIds[0]!, blobKey, bytes, bodies: apart.bodies };
    },

    outcomes: (workId: bigint) =>
      world.prisma.outcome.findMany({ where: { workId }, orderBy: { capturedAt: "asc" } }),
    workState: (id: bigint) => world.prisma.work.findUniqueOrThrow({ where: { id } }),
    /** Lets the lease of a work run out, as if its worker had stopped long ago. */
    expire: (id: bigint) =>
      world.prisma.$executeRaw`UPDATE work SET lease_until = now() - interval '1 second' WHERE id = ${id}`,

    async close() {
      await sender.close();
      await upstream.close();
      await world.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
