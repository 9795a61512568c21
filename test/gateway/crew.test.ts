import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { packageRoot } from "../../src/paths.js";
import { type Child, startChild } from "../../src/process/child.js";
import { createStore, type Store } from "../../src/store/store.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { onServer } from "../support/postgres.js";
import { eventually } from "../support/product.js";
import { type Load, startLoad } from "./load.js";
import { echoModel, startUpstream, type TestUpstream } from "./upstream.js";

let database: TestDatabase;
let store: Store;
let upstream: TestUpstream;
let dataDir: string;
let deploymentId: number;
let crew: Child;

beforeEach(async () => {
  database = await createTestDatabase();
  store = createStore(database.url);
  upstream = await startUpstream(echoModel);
  dataDir = await mkdtemp(join(tmpdir(), "understudy-crew-"));
  const deployment = await store.registry.createDeployment({
    name: "m",
    primary: { url: upstream.url, model: "m", version: null, headers: {} },
    control: null,
    sampleRate: 1,
    captureEnabled: true,
    policy: { outputs: {} },
  });
  deploymentId = deployment.id;
  crew = await startChild(["gateway", "--workers", "3", "--port", "0"], {
    env: {
      ...process.env,
      DATABASE_URL: database.url,
      UNDERSTUDY_DATA_DIR: dataDir,
      UNDERSTUDY_LOG_LEVEL: "fatal",
      UNDERSTUDY_TEST_CLOCK: join(dataDir, "clock"),
      NODE_OPTIONS: `--import=file://${join(packageRoot, "test/faults/clock-step.mjs")}`,
    },
  });
});
afterEach(async () => {
  await crew?.stop();
  await upstream.close();
  await store.close();
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
});

const untilLedger = (wanted: (ledger: Awaited<ReturnType<typeof store.ledger.read>>) => boolean) =>
  eventually(() => store.ledger.read(deploymentId, { fromMs: null, toMs: null }), wanted, {
    withinMs: 30_000,
    everyMs: 50,
  });
const untilAnswered = (load: Load, count: number) =>
  eventually(
    async () => load.answered,
    (answered) => answered >= count,
    { withinMs: 30_000, everyMs: 20 },
  );

async function workerPids(): Promise<number[]> {
  const pid = crew.process.pid!;
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.trim().split(/\s+/).filter(Boolean).map(Number);
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function requestsCounted(): Promise<number> {
  const text = await (await fetch(String(crew.ready.metrics))).text();
  const lines = text
    .split("\n")
    .filter((line) => /^understudy_gateway_requests_total\{.*deployment="m"/.test(line));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

test("several processes serve one port, their accounts and their metrics add up, and all end together", async () => {
  const pids = await workerPids();
  expect(pids).toHaveLength(3);
  const load = startLoad(String(crew.ready.url), "m", 9);
  await untilAnswered(load, 600);
  await load.stop();
  expect(load.failures).toEqual([]);
  const ledger = await untilLedger((now) => now.captured === load.answered);
  expect(ledger).toMatchObject({ received: load.answered, lost: 0, dropped: {}, balanced: true });
  expect(await requestsCounted()).toBe(load.answered);
  const { rows } = await onServer(database.url, (client) =>
    client.query("SELECT count(DISTINCT epoch)::int AS epochs FROM ledger_counts WHERE received > 0"),
  );
  expect(rows[0].epochs).toBe(3);

  await crew.stop();
  expect(await crew.exited).toBe(0);
  expect(pids.filter(isThere)).toEqual([]);
  expect((await readdir(join(dataDir, "spool"))).length).toBe(0);
});

test("what is one thing for all processes is not added up", async () => {
  const value = async (name: string) => {
    const text = await (await fetch(String(crew.ready.metrics))).text();
    return Number(new RegExp(`^${name} (.+)$`, "m").exec(text)?.[1]);
  };
  const isUp = (up: number) => up === 1;
  await eventually(() => value("understudy_capture_up"), isUp, { withinMs: 15_000, everyMs: 100 });
  await writeFile(join(dataDir, "clock"), "3600000");
  const anHour = (seconds: number) => Math.abs(seconds - 3_600) < 60;
  const offset = () => value("understudy_clock_offset_seconds");
  // On its way there a process or two tell of it, so it has to stay.
  await eventually(offset, anHour, { withinMs: 30_000, everyMs: 100 });
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect(anHour(await offset())).toBe(true);
}, 60_000);

test("a process that is killed is replaced; the others serve on, and the account knows what was lost", async () => {
  const pids = await workerPids();
  const load = startLoad(String(crew.ready.url), "m", 6, 1);
  await untilAnswered(load, 200);
  process.kill(pids[0]!, "SIGKILL");
  const after = await eventually(workerPids, (now) => now.length === 3 && !now.includes(pids[0]!), {
    withinMs: 15_000,
    everyMs: 50,
  });
  await untilAnswered(load, load.answered + 300);
  await load.stop();
  // Those that it had in hand, one of each connection at most.
  expect(load.failures.length).toBeLessThanOrEqual(6);
  expect(after.every(isThere)).toBe(true);
  const ledger = await untilLedger(
    (now) => now.inFlight === 0 && now.buffered === 0 && now.captured + now.lost >= load.answered,
  );
  expect(ledger.balanced).toBe(true);
});

test("SIGTERM under load: what was accepted is answered and accounted for, and no process is left behind", async () => {
  const pids = await workerPids();
  const load = startLoad(String(crew.ready.url), "m", 6);
  await untilAnswered(load, 300);
  crew.process.kill("SIGTERM");
  expect(await crew.exited).toBe(0);
  await load.stop();
  // A client told to close opens another connection at once. One that the port's holder had accepted, and could hand to
  // nobody any more, is reset: at most one for each client. None that carried a request before is.
  const failures = load.failures.filter((failure) => !/ECONNREFUSED|other side closed/.test(failure));
  expect(failures.filter((failure) => !failure.includes("ECONNRESET"))).toEqual([]);
  expect(failures.length).toBeLessThanOrEqual(6);
  expect(pids.filter(isThere)).toEqual([]);
  const ledger = await untilLedger((now) => now.buffered === 0 && now.received >= load.answered);
  expect(ledger).toMatchObject({ captured: load.answered, lost: 0, balanced: true });
});

test("when the process that holds the port is killed, none of the others stays", async () => {
  const pids = await workerPids();
  expect(pids.filter(isThere)).toHaveLength(3);
  crew.process.kill("SIGKILL");
  await crew.exited;
  await eventually(
    async () => pids.filter(isThere),
    (left) => left.length === 0,
    { withinMs: 10_000, everyMs: 50 },
  );
});
