import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/product.js";
import { proof, schedule } from "./seed.js";
import { echo, openStage, type Servers, startServers, untilAnswered } from "./world.js";

let servers: Servers;
beforeAll(async () => {
  servers = await startServers();
});
afterAll(() => servers.close());

test("row 24: a request over which every worker dies stands alone in the end, is dead, and can be replayed", async () => {
  const poison = schedule("row 24").between(1, 3);
  // The worker that has the request may not be known yet, nor ready: who sees this kills it.
  let struck = false;
  let deaths = 0;
  let healed = false;
  const stage = await openStage(servers, {
    candidate: (received, response) => {
      if (healed || received.x !== poison) return echo(received, response);
      struck = true;
    },
  });
  const gateway = await stage.start("gateway");
  const load = stage.load(gateway, 1, 0);
  await untilAnswered(load, 3);
  await load.stop();
  await stage.until(({ captured }) => captured === load.answered);
  const worker = await stage.start("worker");
  const isDead = async () => {
    if (struck) {
      struck = false;
      deaths += 1;
      await worker.kill("SIGKILL");
      await worker.restart();
    }
    return (await stage.ledger()).candidates.c?.dead ?? 0;
  };
  await eventually(isDead, (dead) => dead > 0, { withinMs: 300_000, everyMs: 200 });
  const dead = await stage.store.deadWorks.list({ deployment: "m", candidate: null, before: null, limit: 9 });
  proof(
    24,
    `${deaths} workers died of it; dead: ${dead.map(({ rows, error }) => `${rows} request: ${error}`)}`,
  );
  expect(dead).toMatchObject([{ rows: 1 }]);
  expect(deaths).toBeGreaterThan(2);
  const before = await stage.settled();
  expect(before.faults).toEqual([]);
  expect(before.ledger.candidates.c).toMatchObject({ compared: load.answered - 1, dead: 1 });
  healed = true;
  await stage.store.deadWorks.retry(dead[0]!.id);
  await stage.until(({ candidates }) => candidates.c?.compared === load.answered);
  expect(await stage.settled()).toMatchObject({ faults: [] });
});

test("row 25: a slow candidate's queue grows; it expires by policy, and holds up neither clients nor the other candidate", async () => {
  const slowMs = schedule("row 25").between(150, 300);
  const stage = await openStage(servers, {
    candidate: async (received, response) => {
      await sleep(slowMs);
      echo(received, response);
    },
  });
  await stage.addCandidate("fast", stage.primary.url);
  await stage.store.registry.changeCandidate("m", "c", { flow: { maxAgeMs: 5_000 } });
  const gateway = await stage.start("gateway");
  await stage.start("worker");
  const load = stage.load(gateway, 4, 10);
  const seen = { pending: 0 };
  const sampled = async () => {
    const { candidates } = await stage.ledger();
    seen.pending = Math.max(seen.pending, candidates.c!.pending);
    return candidates.c!.expired;
  };
  await eventually(sampled, (expired) => expired > 0, { withinMs: 90_000, everyMs: 200 });
  const { candidates, captured } = await stage.ledger();
  const behind = captured - candidates.fast!.compared;
  await load.stop();
  expect(load.failures).toEqual([]);
  const { faults, ledger } = await stage.settled();
  const { expired, compared } = ledger.candidates.c!;
  proof(
    25,
    `each answer took ${slowMs} ms: up to ${seen.pending} waited, ${compared} compared, ${expired} expired; ` +
      `the other was ${behind} behind`,
  );
  expect(faults).toEqual([]);
  expect(seen.pending).toBeGreaterThan(100);
  expect(expired).toBeGreaterThan(0);
  expect(compared).toBeGreaterThan(0);
  expect(behind).toBeLessThan(seen.pending);
  expect(ledger.candidates.fast).toMatchObject({ compared: load.answered, expired: 0 });
});
