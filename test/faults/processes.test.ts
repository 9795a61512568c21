import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Load } from "../gateway/load.js";
import { eventually } from "../support/product.js";
import { proof, schedule } from "./seed.js";
import { type Act, echo, openStage, type Servers, type Stage, startServers, untilAnswered } from "./world.js";

let servers: Servers;
beforeAll(async () => {
  servers = await startServers();
});
afterAll(() => servers.close());

/** A candidate that leaves one request in so many without an answer for as long as it is told to. */
function hanging(every: number): { act: Act; heal(): void; hung(): number } {
  let ill = true;
  let hung = 0;
  return {
    act: (received, response) => {
      if (!ill || received.x % every !== 0) return echo(received, response);
      hung += 1;
    },
    heal: () => {
      ill = false;
    },
    hung: () => hung,
  };
}

const hungUp = (candidate: { hung(): number }) =>
  eventually(
    async () => candidate.hung(),
    (hung) => hung > 0,
    { withinMs: 60_000, everyMs: 20 },
  );

const leases = (stage: Stage) =>
  stage.query<{ state: string; lease: number; leased_by: string | null }>(
    "SELECT state, lease, leased_by FROM work ORDER BY id",
  );

/** So many requests through a gateway that is stopped again. */
async function captured(stage: Stage, requests: number): Promise<void> {
  const gateway = await stage.start("gateway");
  const load = stage.load(gateway);
  await untilAnswered(load, requests);
  await load.stop();
  expect(load.failures).toEqual([]);
  await stage.until((ledger) => ledger.captured === load.answered);
}

test("row 1: a worker killed in the midst of a job", async () => {
  const draw = schedule("row 1");
  const candidate = hanging(draw.between(3, 40));
  const stage = await openStage(servers, { candidate: candidate.act });
  const worker = await stage.start("worker", { UNDERSTUDY_REPLAY_TIMEOUT_MS: "60000" });
  await captured(stage, draw.between(60, 300));
  await hungUp(candidate);
  const other = await stage.start("worker");
  await sleep(draw.between(0, 1_000));
  expect(await worker.kill()).toBe("SIGKILL");
  const killedMs = Date.now();
  candidate.heal();
  await eventually(
    () => leases(stage),
    (works) => works.some(({ lease }) => lease > 1),
    { everyMs: 50 },
  );
  const takenUpMs = Date.now() - killedMs;
  proof(1, `SIGKILL with work in hand, taken up again after ${takenUpMs} ms`);
  expect(takenUpMs).toBeLessThan(15_000);
  expect((await stage.settled()).faults).toEqual([]);
  await other.kill("SIGTERM");
});

test("row 2: a worker killed after its commit, before the queue hears of it", async () => {
  const draw = schedule("row 2");
  const candidate = hanging(1);
  const stage = await openStage(servers, { candidate: candidate.act });
  const worker = await stage.start("worker", { UNDERSTUDY_REPLAY_TIMEOUT_MS: "60000" });
  await captured(stage, draw.between(20, 100));
  await hungUp(candidate);
  // From here on nothing that the worker says reaches Redis.
  stage.proxies.redis.set({ kind: "blackhole" });
  // What hangs ends as a failure of the network; what follows is answered.
  candidate.heal();
  stage.proxies.candidate.set({ kind: "reset" });
  stage.proxies.candidate.set({ kind: "pass" });
  await eventually(
    () => leases(stage),
    (works) => works.some(({ state }) => state === "done"),
    { everyMs: 50 },
  );
  expect(await worker.kill()).toBe("SIGKILL");
  const before = await stage.query<{ n: number }>("SELECT count(*)::int AS n FROM outcomes");
  stage.proxies.redis.set({ kind: "pass" });
  await stage.start("worker");
  proof(
    2,
    `${before[0]!.n} outcomes committed, Redis cut off from ${stage.proxies.redis.fired.blackhole} connections`,
  );
  expect(stage.proxies.redis.fired.blackhole).toBeGreaterThan(0);
  const { faults, captured: count, outcomes } = await stage.settled();
  expect(faults).toEqual([]);
  expect(outcomes).toBe(count);
});

test("row 3: a worker that sleeps past its lease, and wakes", async () => {
  const draw = schedule("row 3");
  const candidate = hanging(draw.between(2, 20));
  const stage = await openStage(servers, { candidate: candidate.act });
  const sleeper = await stage.start("worker", { UNDERSTUDY_REPLAY_TIMEOUT_MS: "60000" });
  await captured(stage, draw.between(40, 200));
  await hungUp(candidate);
  sleeper.child.process.kill("SIGSTOP");
  candidate.heal();
  await stage.start("worker");
  const { faults, outcomes } = await stage.settled();
  expect(faults).toEqual([]);
  sleeper.child.process.kill("SIGCONT");
  const metrics = await eventually(
    async () => (await fetch(String(sleeper.child.ready.metrics))).text(),
    (text) => /understudy_works_total\{end="lease_lost"\} [1-9]/.test(text),
    { withinMs: 30_000 },
  );
  proof(3, `woken, the sleeper says ${/understudy_works_total\{end="lease_lost"\} \d+/.exec(metrics)![0]}`);
  const after = await stage.settled();
  expect(after).toMatchObject({ faults: [], outcomes });
});

test.each([{ redis: "there" }, { redis: "halted" }])(
  "row 4: SIGTERM under load, Redis $redis",
  async ({ redis }) => {
    const stage = await openStage(servers);
    const gateway = await stage.start("gateway");
    const worker = await stage.start("worker");
    const load = stage.load(gateway);
    await untilAnswered(load, schedule(`row 4 ${redis}`).between(100, 500));
    if (redis === "halted") servers.redis.halt();
    try {
      const [workerEnd, gatewayEnd] = await Promise.all([worker.kill("SIGTERM"), gateway.kill("SIGTERM")]);
      proof(4, `Redis ${redis}: ended with ${workerEnd} and ${gatewayEnd}`);
      expect([workerEnd, gatewayEnd]).toEqual([0, 0]);
    } finally {
      if (redis === "halted") servers.redis.resume();
    }
    await load.stop();
    await gateway.restart();
    await stage.start("worker");
    const { faults, ledger } = await stage.settled();
    expect(faults).toEqual([]);
    expect(ledger.captured).toBeGreaterThanOrEqual(load.answered);
    await gateway.kill("SIGTERM");
  },
);

test("row 5: a gateway killed under load", async () => {
  const draw = schedule("row 5");
  const stage = await openStage(servers);
  const gateway = await stage.start("gateway");
  await stage.start("worker");
  const loads: Load[] = [];
  for (let round = 0; round < 3; round++) {
    const load = stage.load(gateway, 8, 0);
    loads.push(load);
    await untilAnswered(load, draw.between(100, 1_500));
    expect(await gateway.kill()).toBe("SIGKILL");
    await load.stop();
    const spooled = (await readdir(join(stage.folder, "gateway"), { recursive: true })).filter((file) =>
      file.endsWith(".spool"),
    );
    proof(5, `killed with ${spooled.length} spool files and after ${load.answered} answers`);
    await gateway.restart();
  }
  const { faults, ledger } = await stage.settled();
  expect(faults).toEqual([]);
  const sum = (of: "answered" | "begun") => loads.reduce((total, load) => total + load[of], 0);
  proof(
    5,
    `received ${ledger.received}, captured ${ledger.captured}, lost ${ledger.lost} of ${sum("answered")}`,
  );
  // What was answered is captured, or shown as lost, which is an upper bound.
  expect(ledger.captured + ledger.lost).toBeGreaterThanOrEqual(sum("answered"));
  expect(ledger.captured).toBeLessThanOrEqual(sum("begun"));
  await gateway.kill("SIGTERM");
});
