import { onTestFinished } from "vitest";
import type { Sample } from "../../src/capture/capture.js";
import { type Disposition, factsOf } from "../../src/compare/facts.js";
import type { Comparison, OutputComparison } from "../../src/compare/types.js";
import { dayOf, minuteOf, newId } from "../../src/ids.js";
import { createPrisma } from "../../src/store/client.js";
import { createStore } from "../../src/store/store.js";
import type {
  CaptureRow,
  LedgerMinute,
  NewCandidate,
  NewDeployment,
  OutcomeRow,
  SegmentCommit,
} from "../../src/store/types.js";
import type { Endpoint } from "../../src/upstream/endpoint.js";
import { createTestDatabase } from "../support/database.js";

/** Noon of a UTC day, so that no test's captures cross midnight. */
export const noonMs = Date.parse("2026-11-20T12:00:00Z");
export const wholeTime = { fromMs: null, toMs: null };

export type World = Awaited<ReturnType<typeof openWorld>>;

/** A store over a database of its own, and the database itself for looking behind it. */
export async function openWorld() {
  const database = await createTestDatabase();
  const store = createStore(database.url, { poolMax: 4 });
  const prisma = createPrisma(database.url, { poolMax: 4 });
  return {
    url: database.url,
    store,
    prisma,
    async close() {
      await store.close();
      await prisma.$disconnect();
      await database.drop();
    },
  };
}

/** A world for one test only. */
export async function openWorldForTest(): Promise<World> {
  const world = await openWorld();
  onTestFinished(() => world.close());
  return world;
}

export function endpoint(over: Partial<Endpoint> = {}): Endpoint {
  return { url: "http://127.0.0.1:9000", model: "digits", version: null, headers: {}, ...over };
}

export function newDeployment(over: Partial<NewDeployment> = {}): NewDeployment {
  return {
    name: "digits",
    primary: endpoint({ model: over.name ?? "digits" }),
    control: null,
    sampleRate: 1,
    captureEnabled: true,
    policy: { outputs: { "*": { rule: "numpy", atol: 1e-6, rtol: 1e-5 } } },
    ...over,
  };
}

export function newCandidate(over: Partial<NewCandidate> = {}): NewCandidate {
  return { name: "int8", endpoint: endpoint({ model: "int8" }), sha256: null, metadata: {}, ...over };
}

let names = 0;

/** A deployment of its own with one candidate, for a test that shares its world. */
export async function addShadow({ store }: World, over: Partial<NewCandidate> = {}) {
  const name = `digits-${++names}`;
  const deployment = await store.registry.createDeployment(newDeployment({ name }));
  const candidate = await store.registry.addCandidate(name, newCandidate(over));
  return { deployment, candidate };
}

export function captureRow(row: number, over: Partial<CaptureRow> = {}): CaptureRow {
  const receivedAtMs = over.receivedAtMs ?? noonMs + row;
  return {
    id: newId(receivedAtMs),
    row,
    receivedAtMs,
    transport: "http-json",
    primaryVersion: "1",
    status: 200,
    primaryMs: 1.5,
    requestBytes: 256,
    responseBytes: 64,
    sample: "base",
    rule: "",
    tags: {},
    redacted: [],
    subject: null,
    ...over,
  };
}

/**
 * A segment of `captures`, with the cut of a gateway that received just them and, before each of them, one request
 * that it left out.
 */
export function segmentCommit(deploymentId: number, captures: CaptureRow[]): SegmentCommit {
  const first = captures[0]!.receivedAtMs;
  const epoch = newId();
  const id = newId();
  const minutes = new Map<number, LedgerMinute>();
  for (const { receivedAtMs } of captures) {
    const minuteMs = minuteOf(receivedAtMs);
    const minute = minutes.get(minuteMs) ?? ledgerMinute(deploymentId, minuteMs);
    minute.received += 2;
    minute.sampledOut += 1;
    minutes.set(minuteMs, minute);
  }
  return {
    segment: {
      id,
      deploymentId,
      day: dayOf(first),
      gatewayEpoch: epoch,
      blobKey: `segments/${id}.parquet`,
      sha256: "00",
      bytes: 1000,
    },
    captures,
    bodies: [],
    cut: {
      epoch,
      gateway: "test",
      startedAtMs: first,
      sequence: 1,
      cutAtMs: first,
      clockOffsetMs: 0,
      state: "live",
      counts: [...minutes.values()],
    },
  };
}

export function ledgerMinute(
  deploymentId: number,
  minuteMs: number,
  over: Partial<LedgerMinute> = {},
): LedgerMinute {
  return {
    deploymentId,
    minuteMs,
    received: 0,
    inFlight: 0,
    sampledOut: 0,
    buffered: 0,
    lost: 0,
    notEligible: {},
    dropped: {},
    requestBytes: 0,
    responseBytes: 0,
    ...over,
  };
}

export function outputComparison(over: Partial<OutputComparison> = {}): OutputComparison {
  return {
    output: "logits",
    result: "match",
    kind: null,
    datatype: "FP32",
    shape: [1, 10],
    candidateDatatype: "FP32",
    candidateShape: [1, 10],
    elements: 10,
    mismatches: 0,
    maxAbs: 0.25,
    maxRel: 0.125,
    meanAbs: 0.1,
    rmse: 0.1,
    cosine: 1,
    nonFinitePrimary: 0,
    nonFiniteCandidate: 0,
    decision: { from: "3", to: "3", flip: false },
    worst: [],
    ...over,
  };
}

/** The outcome of a capture: a match, unless told. Its facts are those that the worker counts. */
export function outcomeRow(
  capture: CaptureRow,
  over: Partial<OutcomeRow> & { disposition?: Disposition; sample?: Sample } = {},
): OutcomeRow {
  const outputs = over.outputs ?? [outputComparison()];
  const disposition = over.disposition ?? "compared";
  const row: OutcomeRow = {
    captureId: capture.id,
    capturedAtMs: capture.receivedAtMs,
    sample: capture.sample,
    disposition,
    reason: null,
    result: disposition === "compared" ? "match" : null,
    kind: null,
    signature: null,
    flip: false,
    primaryVersion: capture.primaryVersion,
    primaryMs: capture.primaryMs,
    candidateMs: 2,
    controlMs: null,
    attempts: 1,
    maxAbs: 0.25,
    maxRel: 0.125,
    details: null,
    outputs,
    facts: [],
    ...over,
  };
  const comparison: Comparison | null =
    row.result === null ? null : { ...row, kind: null, result: row.result, outputs, parameters: [] };
  return { ...row, facts: over.facts ?? factsOf(comparison, row) };
}

/** Catalogues `captures` as one segment and takes up the work of the first run. */
export async function leaseSegment({ store }: World, deploymentId: number, captures: CaptureRow[]) {
  const { workIds } = await store.catalogue.commitSegment(segmentCommit(deploymentId, captures));
  const work = (await store.work.lease(workIds[0]!, "test", 60_000))!;
  return { workIds, work };
}
