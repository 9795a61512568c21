import { execFile } from "node:child_process";
import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cliMain } from "../../src/paths.js";
import { type Child, startChild } from "../../src/process/child.js";
import { createStore, type Store } from "../../src/store/store.js";
import type { Ledger } from "../../src/store/types.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { onServer } from "../support/postgres.js";
import { eventually } from "../support/product.js";
import { startTestGateway } from "./gateway.js";
import { type Load, startLoad } from "./load.js";
import { type Door, startDoor, throughDoor } from "./outage.js";
import { echoModel, startUpstream, type TestUpstream } from "./upstream.js";

let database: TestDatabase;
let store: Store;
let upstream: TestUpstream;
let door: Door;
let dataDir: string;
let deploymentId: number;
let children: Child[];

beforeEach(async () => {
  database = await createTestDatabase();
  store = createStore(database.url);
  upstream = await startUpstream(echoModel);
  const { hostname, port } = new URL(database.url);
  door = await startDoor(hostname, Number(port || 5432));
  dataDir = await mkdtemp(join(tmpdir(), "understudy-faults-"));
  children = [];
  const deployment = await store.registry.createDeployment({
    name: "m",
    primary: { url: upstream.url, model: "m", version: null, headers: {} },
    control: null,
    sampleRate: 1,
    captureEnabled: true,
    policy: { outputs: {} },
  });
  deploymentId = deployment.id;
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.stop(100)));
  await door.shut();
  await upstream.close();
  await store.close();
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
});

async function startGatewayProcess(env: NodeJS.ProcessEnv = {}): Promise<Child> {
  const child = await startChild(["gateway"], {
    env: {
      ...process.env,
      DATABASE_URL: throughDoor(database.url, door),
      UNDERSTUDY_DATA_DIR: dataDir,
      UNDERSTUDY_GATEWAY_PORT: "0",
      UNDERSTUDY_LOG_LEVEL: "fatal",
      ...env,
    },
  });
  children.push(child);
  return child;
}

const readLedger = () => store.ledger.read(deploymentId, { fromMs: null, toMs: null });
const untilLedger = (wanted: (ledger: Ledger) => boolean) =>
  eventually(readLedger, wanted, { withinMs: 30_000, everyMs: 50 });
const untilAnswered = (load: Load, count: number) =>
  eventually(
    async () => load.answered,
    (answered) => answered >= count,
    { withinMs: 30_000, everyMs: 20 },
  );

/** Reads the ledger again and again; the reads that did not balance are what it returns. */
function watchBalance() {
  const unbalanced: Ledger[] = [];
  let watching = true;
  let reads = 0;
  const running = (async () => {
    while (watching) {
      const ledger = await readLedger();
      reads += 1;
      if (!ledger.balanced) unbalanced.push(ledger);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return {
    async stop() {
      watching = false;
      await running;
      return { unbalanced, reads };
    },
  };
}

/** The captures that are there, counted where they are kept. */
async function countCaptures(): Promise<{ rows: number; ids: number; inSegments: number }> {
  return onServer(database.url, async (client) => {
    const captures = await client.query(
      "SELECT count(*)::int AS n, count(DISTINCT id)::int AS ids FROM captures",
    );
    const segments = await client.query("SELECT coalesce(sum(captures), 0)::int AS n FROM segments");
    return { rows: captures.rows[0].n, ids: captures.rows[0].ids, inSegments: segments.rows[0].n };
  });
}

async function spoolFiles(): Promise<string[]> {
  const names = await readdir(join(dataDir, "spool"), { recursive: true }).catch(() => []);
  return names.filter((name) => name.endsWith(".spool"));
}

test("kill -9: what was spooled is shipped at the next start, the rest is lost within bounds, nothing twice", async () => {
  const gateway = await startGatewayProcess();
  const watch = watchBalance();
  const load = startLoad(String(gateway.ready.url), "m");
  await untilLedger((ledger) => ledger.captured > 300);
  gateway.process.kill("SIGKILL");
  await gateway.exited;
  await load.stop();
  const left = await spoolFiles();
  expect(left.length).toBeGreaterThan(0);

  await startGatewayProcess();
  const ledger = await untilLedger((now) => now.inFlight === 0 && now.buffered === 0 && now.lost > 0);
  const { unbalanced } = await watch.stop();
  expect(unbalanced).toEqual([]);
  expect(ledger.captured + ledger.lost).toBe(ledger.received);
  // Whoever had an answer is in the account; what is counted too much is what was reserved ahead.
  expect(ledger.received).toBeGreaterThanOrEqual(load.answered);
  expect(ledger.received - load.begun).toBeLessThan(10_000);
  expect(await countCaptures()).toEqual({
    rows: ledger.captured,
    ids: ledger.captured,
    inSegments: ledger.captured,
  });
  await expect.poll(spoolFiles).toEqual([]);
});

test("kill -9 with Postgres away: every spooled capture arrives in the end", async () => {
  const gateway = await startGatewayProcess();
  await door.shut();
  const load = startLoad(String(gateway.ready.url), "m");
  await untilAnswered(load, 1_000);
  await load.stop();
  expect(load.failures).toEqual([]);
  // A cut every half second covers all of it.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  gateway.process.kill("SIGKILL");
  await gateway.exited;
  expect(await readLedger()).toMatchObject({ received: 0, captured: 0 });

  await door.open();
  await startGatewayProcess();
  const ledger = await untilLedger((now) => now.captured > 0 && now.buffered === 0);
  expect(ledger).toMatchObject({ captured: load.answered, inFlight: 0, balanced: true });
  expect(ledger.received).toBe(ledger.captured + ledger.lost);
});

describe("what the gateway does not need may go away: no client sees it, and nothing is lost", () => {
  test("Postgres", async () => {
    const gateway = await startGatewayProcess();
    const watch = watchBalance();
    const load = startLoad(String(gateway.ready.url), "m");
    await untilLedger((ledger) => ledger.captured > 100);
    await door.shut();
    const before = load.answered;
    const shipped = await readLedger();
    await untilAnswered(load, before + 1_000);
    await eventually(spoolFiles, (files) => files.length > 2);
    expect((await readLedger()).captured).toBe(shipped.captured);
    await door.open();
    await untilLedger((ledger) => ledger.captured > shipped.captured);
    await load.stop();
    expect(load.failures).toEqual([]);
    const ledger = await untilLedger((now) => now.received === load.answered && now.buffered === 0);
    expect(ledger).toMatchObject({ captured: load.answered, lost: 0, dropped: {}, inFlight: 0 });
    expect((await watch.stop()).unbalanced).toEqual([]);
    expect((await countCaptures()).ids).toBe(load.answered);
  });

  test("the blob store", async () => {
    const gateway = await startGatewayProcess();
    const watch = watchBalance();
    const load = startLoad(String(gateway.ready.url), "m");
    await untilLedger((ledger) => ledger.captured > 100);
    const blobs = join(dataDir, "blobs");
    await rename(blobs, `${blobs}.away`);
    await writeFile(blobs, "a file where a folder should be");
    // Postgres sees how much is waiting.
    await untilLedger((ledger) => ledger.buffered > 500);
    await rm(blobs);
    await rename(`${blobs}.away`, blobs);
    await untilAnswered(load, load.answered + 200);
    await load.stop();
    expect(load.failures).toEqual([]);
    const ledger = await untilLedger((now) => now.received === load.answered && now.buffered === 0);
    expect(ledger).toMatchObject({ captured: load.answered, lost: 0, dropped: {} });
    expect((await watch.stop()).unbalanced).toEqual([]);
  });

  test("Postgres, at the start: the deployments are known from last time", async () => {
    const first = await startGatewayProcess();
    await first.stop();
    await door.shut();
    const second = await startGatewayProcess();
    const load = startLoad(String(second.ready.url), "m", 1);
    await untilAnswered(load, 50);
    await load.stop();
    expect(load.failures).toEqual([]);
    await door.open();
    expect(await untilLedger((now) => now.captured === load.answered)).toMatchObject({ balanced: true });
  });

  test("the spool's folder", async () => {
    const gateway = await startGatewayProcess();
    const load = startLoad(String(gateway.ready.url), "m");
    await untilLedger((ledger) => ledger.captured > 100);
    await rm(join(dataDir, "spool"), { recursive: true, force: true });
    await untilLedger((ledger) => (ledger.dropped.spool_error ?? 0) > 100);
    await load.stop();
    expect(load.failures).toEqual([]);
    const ledger = await untilLedger((now) => now.received === load.answered && now.buffered === 0);
    expect(ledger.balanced).toBe(true);
    expect(ledger.captured + ledger.dropped.spool_error!).toBe(load.answered);
  });
});

test("a spool folder that cannot be used: clients see nothing, and once it can, the ledger knows of every request", async () => {
  const spool = join(dataDir, "spool");
  await rm(spool, { recursive: true, force: true });
  await writeFile(spool, "in the way");
  const gateway = await startGatewayProcess();
  const load = startLoad(String(gateway.ready.url), "m", 1);
  await untilAnswered(load, 100);
  expect(await untilLedger(() => true)).toMatchObject({ received: 0 });
  await rm(spool);
  await untilLedger((now) => now.captured > 100);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(await untilLedger((now) => now.received === load.answered && now.buffered === 0)).toMatchObject({
    balanced: true,
    lost: 0,
  });
});

test("a spool that is full drops and counts; after relief all that was kept is shipped", async () => {
  const gateway = await startGatewayProcess({ UNDERSTUDY_SPOOL_BYTES_MAX: String(1024 ** 2) });
  await door.shut();
  const load = startLoad(String(gateway.ready.url), "m");
  await untilAnswered(load, 6_000);
  await load.stop();
  expect(load.failures).toEqual([]);
  await door.open();
  const ledger = await untilLedger((now) => now.received === load.answered && now.buffered === 0);
  expect(ledger.dropped.spool_full).toBeGreaterThan(0);
  expect(ledger.captured).toBeGreaterThan(1_000);
  expect(ledger).toMatchObject({ balanced: true, lost: 0 });
});

describe("SIGTERM under load: what was accepted is answered and accounted for", () => {
  test.each([
    ["with Postgres there", false],
    ["with Postgres away", true],
  ])("%s", async (_, away) => {
    const gateway = await startGatewayProcess();
    const load = startLoad(String(gateway.ready.url), "m");
    await untilAnswered(load, 300);
    if (away) await door.shut();
    const endedAt = Date.now();
    gateway.process.kill("SIGTERM");
    const exit = await gateway.exited;
    expect(exit).toBe(0);
    expect(Date.now() - endedAt).toBeLessThan(8_000);
    await load.stop();
    // A connection is refused once it is closing; none that was accepted is cut off without an answer.
    expect(load.failures.filter((failure) => !/ECONNREFUSED|other side closed/.test(failure))).toEqual([]);

    if (away) {
      await door.open();
      await startGatewayProcess();
    }
    const ledger = await untilLedger((now) => now.received >= load.answered && now.buffered === 0);
    expect(ledger).toMatchObject({
      captured: load.answered,
      received: load.answered,
      lost: 0,
      balanced: true,
    });
    await expect.poll(spoolFiles).toEqual([]);
  });
});

test("two gateways on one data directory share nothing, and their accounts add up", async () => {
  const [one, two] = [await startGatewayProcess(), await startGatewayProcess()];
  const loads = [one, two].map((gateway) => startLoad(String(gateway!.ready.url), "m", 2));
  const watch = watchBalance();
  await Promise.all(loads.map((load) => untilAnswered(load, 500)));
  await Promise.all(loads.map((load) => load.stop()));
  const answered = loads.reduce((sum, load) => sum + load.answered, 0);
  const ledger = await untilLedger((now) => now.captured === answered);
  expect(ledger).toMatchObject({ received: answered, lost: 0, dropped: {}, balanced: true });
  expect((await watch.stop()).unbalanced).toEqual([]);
});

test("the capture thread may die: clients see nothing, and a new one settles what the old one leaves", async () => {
  const threads: Worker[] = [];
  const onWorker = (worker: Worker) => threads.push(worker);
  process.on("worker", onWorker);
  const gateway = await startTestGateway({ DATABASE_URL: database.url });
  const watch = watchBalance();
  const load = startLoad(gateway.url, "m", 2);
  try {
    await untilLedger((ledger) => ledger.captured > 100);
    await threads[0]!.terminate();
    await eventually(
      async () => threads.length,
      (count) => count === 2,
    );
    const before = (await readLedger()).captured;
    await untilLedger((ledger) => ledger.captured > before + 200 && ledger.lost > 0);
    await load.stop();
    expect(load.failures).toEqual([]);
    const ledger = await untilLedger((now) => now.received === load.answered && now.buffered === 0);
    // The serving thread lives on and knows how many there were: what is lost is no mere bound.
    expect(ledger.captured + ledger.lost).toBe(load.answered);
    expect((await watch.stop()).unbalanced).toEqual([]);
  } finally {
    process.off("worker", onWorker);
    await gateway.remove();
  }
});

test("a port in use is said in one message, with what to do", async () => {
  const { port } = new URL(upstream.url);
  const env = {
    ...process.env,
    DATABASE_URL: database.url,
    UNDERSTUDY_DATA_DIR: dataDir,
    UNDERSTUDY_GATEWAY_PORT: port,
    UNDERSTUDY_LOG_LEVEL: "fatal",
  };
  const run = promisify(execFile)(process.execPath, [cliMain, "gateway"], { env, timeout: 30_000 });
  const refused = (await run.catch((error: unknown) => error)) as { code: number; stderr: string };
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/in use[\s\S]*UNDERSTUDY_GATEWAY_PORT/);
});
