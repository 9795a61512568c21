import type { lookup } from "node:dns";
import { afterEach, expect, it } from "vitest";
import { createAborts } from "../../src/upstream/aborts.js";
import { exchange } from "../../src/upstream/exchange.js";
import { createGuard } from "../../src/upstream/guard.js";
import { createOrigins, type Origins } from "../../src/upstream/origins.js";
import { http, type RawServer, startRawServer } from "./servers.js";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function serve(answer: Parameters<typeof startRawServer>[0]): Promise<RawServer> {
  const server = await startRawServer(answer);
  closers.push(() => server.close());
  return server;
}

/** Origins whose names lead to these addresses, one list a lookup, the last for ever. */
function originsLeadingTo(...answers: string[][]): Origins {
  let lookups = 0;
  const resolve = ((_name: string, _options: object, callback: (error: null, found: object[]) => void) => {
    const addresses = answers[Math.min(lookups++, answers.length - 1)]!;
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  }) as unknown as typeof lookup;
  const origins = createOrigins(createGuard({ internal: "allow", resolve }), {
    ca: undefined,
    atOnce: false,
  });
  closers.push(() => origins.close());
  return origins;
}

const get = (origins: Origins, { url }: RawServer) =>
  exchange(
    { origins, aborts: createAborts() },
    {
      origin: `http://models.test:${new URL(url).port}`,
      path: "/",
      method: "GET",
      headers: {},
      body: null,
    },
    { timeoutMs: 5_000, responseBytesMax: 1_000 },
  );

it("uses what remains of a name that leads to several addresses", async () => {
  const server = await serve((socket) => socket.write(http(200, "{}")));
  const origins = originsLeadingTo(["169.254.169.254", "::1", "127.0.0.1"]);
  expect(await get(origins, server)).toMatchObject({ ok: true, status: 200 });
});

it("sees through a name that is bound anew between two connections", async () => {
  const server = await serve((socket) => socket.end(http(200, "{}", "Connection: close\r\n")));
  const origins = originsLeadingTo(["127.0.0.1"], ["169.254.169.254"]);
  expect(await get(origins, server)).toMatchObject({ ok: true });
  expect(await get(origins, server)).toMatchObject({
    ok: false,
    failure: "network",
    retriable: false,
    cause: { code: "address_refused" },
  });
  expect(server.connections).toBe(1);
});

it("sends nothing once it is closed, and what was under way fails", async () => {
  let asked = () => {};
  const arrived = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const server = await serve(() => asked());
  const origins = originsLeadingTo(["127.0.0.1"]);
  const underWay = get(origins, server);
  await arrived;
  origins.close();
  expect(await underWay).toMatchObject({ ok: false, failure: "network" });
  expect(await get(origins, server)).toMatchObject({ ok: false, failure: "network" });
  expect(server.connections).toBe(1);
});
