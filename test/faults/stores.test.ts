import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { Client } from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { cliMain } from "../../src/paths.js";
import { databaseAt, onServer } from "../support/postgres.js";
import { eventually } from "../support/product.js";
import { awayMs, proof, schedule } from "./seed.js";
import { openStage, type Proc, type Servers, type Stage, startServers, untilAnswered } from "./world.js";

let servers: Servers;
beforeAll(async () => {
  servers = await startServers();
});
afterAll(() => servers.close());

/** The whole product but its control plane, under load. */
async function underLoad() {
  const stage = await openStage(servers);
  const gateway = await stage.start("gateway");
  const worker = await stage.start("worker");
  const load = stage.load(gateway, 4, 5);
  await untilAnswered(load, 100);
  return { stage, gateway, worker, load };
}

async function redisClient({ redisUrl }: Stage): Promise<Redis> {
  const client = new Redis(redisUrl, { retryStrategy: () => 50 });
  client.on("error", () => {});
  onTestFinished(() => client.disconnect());
  await client.ping();
  return client;
}

/** Clients saw nothing, and everything that they sent is accounted for. */
async function soundAfter({ stage, load, gateway }: Awaited<ReturnType<typeof underLoad>>) {
  await untilAnswered(load, load.answered + 200);
  await load.stop();
  expect(load.failures).toEqual([]);
  await stage.until(({ captured }) => captured === load.answered);
  const { faults, ledger } = await stage.settled();
  expect(faults).toEqual([]);
  expect(ledger).toMatchObject({ received: load.begun, captured: load.answered, lost: 0 });
  await gateway.kill("SIGTERM");
  return ledger;
}

async function residentBytes({ child }: Proc): Promise<number> {
  const pages = Number((await readFile(`/proc/${child.process.pid}/statm`, "utf8")).split(" ")[1]);
  return pages * 4096;
}

test("row 6: Redis restarted empty, then emptied by FLUSHALL", async () => {
  const draw = schedule("row 6");
  const world = await underLoad();
  await servers.redis.kill();
  await sleep(draw.between(200, 3_000));
  await servers.redis.restart();
  const client = await redisClient(world.stage);
  await sleep(draw.between(2_000, 6_000));
  const before = await client.dbsize();
  await client.flushall();
  proof(6, `Redis restarted, then FLUSHALL took ${before} keys`);
  expect(before).toBeGreaterThan(0);
  await soundAfter(world);
});

test("row 7: Redis halted", async () => {
  const world = await underLoad();
  const before = await residentBytes(world.gateway);
  servers.redis.halt();
  const answered = world.load.answered;
  await sleep(awayMs);
  const grown = (await residentBytes(world.gateway)) - before;
  servers.redis.resume();
  proof(
    7,
    `halted ${awayMs} ms, ${world.load.answered - answered} answers meanwhile, memory ${grown >> 20} MiB more`,
  );
  expect(world.load.answered).toBeGreaterThan(answered);
  expect(grown).toBeLessThan(200 * 1024 ** 2);
  await soundAfter(world);
});

test("row 8: Redis at maxmemory", async () => {
  const world = await underLoad();
  const client = await redisClient(world.stage);
  await client.config("SET", "maxmemory", "1");
  await untilAnswered(world.load, world.load.answered + schedule("row 8").between(200, 600));
  const refused = Number(/errorstat_OOM:count=(\d+)/.exec(await client.info("errorstats"))?.[1] ?? 0);
  await client.config("SET", "maxmemory", "0");
  proof(8, `${refused} commands refused with OOM`);
  expect(refused).toBeGreaterThan(0);
  await soundAfter(world);
});

test.each([{ how: "killed" }, { how: "halted" }])("row 9: Postgres $how", async ({ how }) => {
  const world = await underLoad();
  const answered = world.load.answered;
  if (how === "killed") await servers.postgres.kill();
  else servers.postgres.halt();
  await sleep(awayMs);
  if (how === "killed") await servers.postgres.restart();
  else servers.postgres.resume();
  proof(9, `Postgres ${how} for ${awayMs} ms, ${world.load.answered - answered} answers meanwhile`);
  expect(world.load.answered).toBeGreaterThan(answered);
  await soundAfter(world);
  expect(world.worker.child.process.exitCode).toBe(null);
  const attempts = await world.stage.query("SELECT DISTINCT attempts FROM outcomes");
  expect(attempts).toEqual([{ attempts: 1 }]);
});

test("row 10: every connection of Postgres taken, then its answers lost", async () => {
  const draw = schedule("row 10");
  const world = await underLoad();
  const { proxies } = world.stage;
  const taken: Client[] = [];
  for (;;) {
    const client = new Client({ connectionString: servers.postgres.url });
    client.on("error", () => {});
    try {
      await client.connect();
      taken.push(client);
    } catch (error) {
      proof(10, `${taken.length} connections taken, the next: ${(error as Error).message}`);
      break;
    }
  }
  proxies.postgres.set({ kind: "reset" });
  proxies.postgres.set({ kind: "pass" });
  await untilAnswered(world.load, world.load.answered + 200);
  await Promise.all(taken.map((client) => client.end()));
  // Now connections are cut after so many bytes of answers: of a statement under way nobody knows whether it went through.
  for (let round = 0; round < 5; round++) {
    proxies.postgres.set({ kind: "limit", bytes: draw.between(500, 20_000) });
    await sleep(draw.between(300, 2_000));
  }
  proxies.postgres.set({ kind: "pass" });
  proof(10, `${proxies.postgres.fired.limit} connections cut in the midst of answers`);
  expect(proxies.postgres.fired.limit).toBeGreaterThan(0);
  await soundAfter(world);
});

test("row 10: a worker's commit is the victim of a deadlock", async () => {
  const world = await underLoad();
  const [before] = await deadlocks(world.stage);
  await onServer(world.stage.databaseUrl, async (other) => {
    // Whoever looks first is the victim: this session does not look.
    await other.query("SET deadlock_timeout = '1h'");
    for (let round = 0; round < 3; round++) {
      await other.query("BEGIN");
      await other.query("LOCK TABLE rollup_deltas IN SHARE MODE");
      // A commit waits here, and has its hands on the works already.
      await eventually(
        () =>
          world.stage.query(
            `SELECT 1 FROM pg_locks WHERE relation = 'rollup_deltas'::regclass AND NOT granted
               AND mode = 'RowExclusiveLock'`,
          ),
        (waiting) => waiting.length > 0,
        { withinMs: 60_000, everyMs: 20 },
      );
      await other.query("LOCK TABLE work IN SHARE MODE");
      await other.query("ROLLBACK");
    }
  });
  const [after] = await eventually(
    () => deadlocks(world.stage),
    ([now]) => now!.n > before!.n,
    { withinMs: 30_000 },
  );
  proof(10, `${after!.n - before!.n} deadlocks, of each a commit was the victim`);
  await soundAfter(world);
});

const deadlocks = (stage: Stage) =>
  stage.query<{ n: number }>(
    "SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()",
  );

test("row 11: two migrators at once, and one under load", async () => {
  const world = await underLoad();
  await onServer(servers.postgres.url, (client) => client.query("CREATE DATABASE fresh"));
  const migrate = (databaseUrl: string) =>
    promisify(execFile)(process.execPath, [cliMain, "migrate"], {
      env: { ...world.stage.environment, DATABASE_URL: databaseUrl },
    });
  const fresh = databaseAt(servers.postgres.url, "fresh");
  await Promise.all([migrate(fresh), migrate(fresh), migrate(world.stage.databaseUrl)]);
  const applied = await onServer(fresh, async (client) => {
    const { rows } = await client.query(
      "SELECT migration_name AS name, count(*)::int AS n FROM _prisma_migrations WHERE finished_at IS NOT NULL GROUP BY 1",
    );
    return rows as { name: string; n: number }[];
  });
  proof(11, `${applied.length} migrations applied by two at once`);
  expect(applied.length).toBeGreaterThan(0);
  expect(applied.filter(({ n }) => n !== 1)).toEqual([]);
  await soundAfter(world);
});
