import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { databaseAt, onServer } from "../support/postgres.js";
import { eventually } from "../support/product.js";
import { echoModel, inferRequest } from "./upstream.js";
import { type GatewayWorld, openGatewayWorld } from "./world.js";

let world: GatewayWorld;
/** Answers the request to `slow` that is under way; null: none is. */
let answerSlow: (() => void) | null = null;
beforeAll(async () => {
  world = await openGatewayWorld({
    deployments: { switched: {}, held: {}, slow: {}, watched: { captureEnabled: false, sampleRate: 0.5 } },
    primary: (request, response) => {
      if (request.url!.includes("/slow/")) answerSlow = () => echoModel(request, response);
      else echoModel(request, response);
    },
  });
});
afterAll(() => world?.close());

/** Sends requests until the ledger shows that the last was captured, or that it was not. */
async function untilCaptured(model: string, wanted: boolean): Promise<number> {
  let { received } = await world.ledgerOf(model);
  await eventually(
    async () => {
      const before = await world.ledgerOf(model);
      expect((await world.post(model, inferRequest())).status).toBe(200);
      received += 1;
      const after = await world.settled(model, received);
      expect(after.balanced).toBe(true);
      return after.captured > before.captured;
    },
    (captured) => captured === wanted,
    { withinMs: 20_000, everyMs: 100 },
  );
  return received;
}

test("the switch for all deployments stops capture, not traffic, and lets it begin again", async () => {
  await untilCaptured("switched", true);
  await world.store.switches.setCapture(false);
  await untilCaptured("switched", false);
  expect((await world.ledgerOf("switched")).dropped.capture_off).toBeGreaterThan(0);
  await world.store.switches.setCapture(true);
  await untilCaptured("switched", true);
});

test("a file in the data directory does the same, whatever Postgres says", async () => {
  await untilCaptured("held", true);
  await writeFile(join(world.gateway.dataDir, "capture-off"), "");
  await untilCaptured("held", false);
  await rm(join(world.gateway.dataDir, "capture-off"));
  await untilCaptured("held", true);
});

test("a request under way when capture is switched off is answered, and not captured", async () => {
  const underWay = world.post("slow", inferRequest());
  const answer = await eventually(
    async () => answerSlow,
    (held) => held !== null,
    { withinMs: 30_000 },
  );
  await world.store.switches.setCapture(false);
  await untilCaptured("switched", false);
  answer!();
  expect((await underWay).status).toBe(200);
  const ledger = await world.settled("slow", 1);
  expect(ledger).toMatchObject({ captured: 0, dropped: { capture_off: 1 }, balanced: true });
  await world.store.switches.setCapture(true);
  await untilCaptured("switched", true);
});

test("bytes are counted while capture is off, for an estimate before it is switched on", async () => {
  const body = inferRequest([1, 2, 3]);
  let answered = 0;
  for (let index = 0; index < 10; index++) {
    answered += (await world.post("watched", body, index < 5 ? {} : { "Transfer-Encoding": "chunked" })).body
      .length;
  }
  const read = () => world.store.traffic.read(world.ids.get("watched")!, 0);
  const traffic = await eventually(read, ({ responseBytes }) => responseBytes === answered, {
    withinMs: 15_000,
  });
  expect(traffic).toMatchObject({ requests: 10, requestBytes: 10 * body.length, storedShare: null });
  const metrics = await (await request(world.gateway.metrics)).body.text();
  expect(metrics).toContain(
    `understudy_gateway_body_bytes_total{deployment="watched",direction="request"} ${10 * body.length}`,
  );
});

test("a clock that differs from the database's is reported", async () => {
  const name = new URL(world.database.url).pathname.slice(1);
  // The database's clock goes an hour behind: its own function, found before the built-in one.
  await onServer(databaseAt(world.database.url, name), async (client) => {
    await client.query("CREATE SCHEMA skewed");
    await client.query(
      `CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql
         AS $$ SELECT pg_catalog.clock_timestamp() - interval '1 hour' $$`,
    );
    await client.query(`ALTER DATABASE "${name}" SET search_path = skewed, public, pg_catalog`);
    // Connections that are open keep the path they began with.
    await client.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
      [name],
    );
  });
  const offset = async () => {
    const text = await (await request(world.gateway.metrics)).body.text();
    return Number(/^understudy_clock_offset_seconds (\S+)$/m.exec(text)?.[1]);
  };
  const seconds = await eventually(offset, (value) => value > 3_000, { withinMs: 20_000 });
  expect(seconds).toBeGreaterThan(3_590);
  expect(seconds).toBeLessThan(3_610);
  await world.post("held", inferRequest());
  await eventually(
    () =>
      onServer(databaseAt(world.database.url, name), async (client) => {
        const { rows } = await client.query("SELECT clock_offset_ms FROM gateway_epochs");
        return rows[0].clock_offset_ms as number;
      }),
    (offsetMs) => offsetMs > 3_590_000 && offsetMs < 3_610_000,
    { withinMs: 20_000 },
  );
});
