import { readdirSync, readFileSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packageRoot } from "../../src/paths.js";
import { eventually } from "../support/product.js";
import { proof, schedule } from "./seed.js";
import { openStage, type Proc, type Servers, startServers, untilAnswered } from "./world.js";

let servers: Servers;
beforeAll(async () => {
  servers = await startServers();
});
afterAll(() => servers.close());

const hourMs = 3_600_000;

test("row 20: the clock of gateway and worker steps by an hour, and back", async () => {
  const first = schedule("row 20").pick([1, -1]);
  const stage = await openStage(servers);
  const clock = join(stage.folder, "clock");
  await writeFile(clock, "0");
  const stepping = {
    UNDERSTUDY_TEST_CLOCK: clock,
    NODE_OPTIONS: `--import=file://${join(packageRoot, "test/faults/clock-step.mjs")}`,
  };
  const gateway = await stage.start("gateway", stepping);
  await stage.start("worker", stepping);
  const load = stage.load(gateway, 2, 5);
  for (const steps of [0, first, -first, 0]) {
    await writeFile(clock, String(steps * hourMs));
    await sleep(500);
    await untilAnswered(load, load.answered + 150);
  }
  await load.stop();
  expect(load.failures).toEqual([]);
  await stage.until(({ captured }) => captured === load.answered);
  const { faults } = await stage.settled();
  const [seen] = await stage.query<{ hours: number; most: number; least: number }>(
    `SELECT extract(epoch FROM max(captured_at) - min(captured_at))::float8 / 3600 AS hours,
            greatest(max(primary_ms), max(candidate_ms)) AS most, least(min(primary_ms), min(candidate_ms)) AS least
     FROM outcomes`,
  );
  proof(20, `captures ${seen!.hours.toFixed(2)} h apart; latencies from ${seen!.least} to ${seen!.most} ms`);
  expect(faults).toEqual([]);
  expect(seen!.hours).toBeGreaterThan(1.9);
  expect(seen!.least).toBeGreaterThan(0);
  expect(seen!.most).toBeLessThan(60_000);
});

test("row 20: a gateway whose clock is an hour off says so", async () => {
  const stage = await openStage(servers);
  const clock = join(stage.folder, "clock");
  const offMs = schedule("row 20 skew").pick([1, -1]) * hourMs;
  await writeFile(clock, String(offMs));
  const gateway = await stage.start("gateway", {
    UNDERSTUDY_TEST_CLOCK: clock,
    NODE_OPTIONS: `--import=file://${join(packageRoot, "test/faults/clock-step.mjs")}`,
  });
  const load = stage.load(gateway, 1, 20);
  const [epoch] = await eventually(
    () => stage.query<{ skew: number }>("SELECT clock_offset_ms AS skew FROM gateway_epochs"),
    (epochs) => epochs.length > 0 && Math.abs(epochs[0]!.skew) > 1_000,
    { withinMs: 30_000 },
  );
  await load.stop();
  proof(20, `a clock ${offMs} ms off is reported as ${epoch!.skew.toFixed(0)} ms`);
  expect(Math.abs(epoch!.skew - offMs)).toBeLessThan(60_000);
  expect(load.failures).toEqual([]);
});

/** A day of a request every ten seconds. */
const requestsOfADay = 8_640;

test("row 40: a day's requests in a minute; memory, handles and disk stay flat", async () => {
  const stage = await openStage(servers);
  const gateway = await stage.start("gateway");
  const worker = await stage.start("worker");
  const load = stage.load(gateway, 4, 3);
  const now = () => [gateway, worker].map(usageOf);
  const spooled = async () =>
    (await readdir(join(stage.folder, "gateway"), { recursive: true })).filter((file) =>
      file.endsWith(".spool"),
    ).length;
  await untilAnswered(load, requestsOfADay / 4);
  const before = now();
  const spooledBefore = await spooled();
  await untilAnswered(load, requestsOfADay);
  const spooledAfter = await spooled();
  await load.stop();
  const { faults, captured } = await stage.settled();
  await sleep(2_000);
  const after = now();
  const segments = await stage.query<{ n: number }>("SELECT count(*)::int AS n FROM segments");
  proof(
    40,
    `${captured} captures in ${segments[0]!.n} segments; ${JSON.stringify({ before, after, spooledBefore, spooledAfter })}`,
  );
  expect(faults).toEqual([]);
  expect(captured).toBeGreaterThanOrEqual(requestsOfADay);
  expect(spooledAfter).toBeLessThan(spooledBefore + 20);
  expect(await stage.query("SELECT 1 FROM work WHERE state NOT IN ('done', 'split')")).toEqual([]);
  for (const [i, { residentMiB, handles }] of after.entries()) {
    expect(residentMiB).toBeLessThan(1.5 * before[i]!.residentMiB + 64);
    expect(handles).toBeLessThanOrEqual(before[i]!.handles + 16);
  }
});

function usageOf({ role, child }: Proc) {
  const { pid } = child.process;
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  const handles = readdirSync(`/proc/${pid}/fd`).length;
  return { role, residentMiB: Math.round((pages * 4096) / 1024 ** 2), handles };
}
