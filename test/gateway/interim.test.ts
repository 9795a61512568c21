import { createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../support/product.js";
import { startTestGateway, type TestGateway } from "./gateway.js";
import { openRaw, type RawConnection } from "./wire.js";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A gateway in front of a primary that says what it is told to, and keeps what it hears. */
async function openStage() {
  let heard = "";
  let primary: Socket | null = null;
  const server = createServer((socket) => {
    primary = socket;
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      heard += bytes.toString("latin1");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as { port: number };
  const gateway: TestGateway = await startTestGateway({
    UNDERSTUDY_DEFAULT_PRIMARY: `http://127.0.0.1:${port}`,
  });
  closers.push(() => gateway.remove());
  return {
    open: async (text: string): Promise<RawConnection> => {
      const client = await openRaw(gateway.port, text);
      closers.push(() => client.socket.destroy());
      return client;
    },
    heard: () => heard,
    untilHeard: (part: string) => until(() => heard, part),
    say: (text: string) => primary!.write(text, "latin1"),
  };
}

const until = (read: () => string, part: string) =>
  eventually(
    async () => read(),
    (text) => text.includes(part),
    { withinMs: 10_000, everyMs: 5 },
  );

const asking =
  "POST /v2/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nX-Last: 1\r\nContent-Length: 4\r\n\r\n";
const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const goOn = "HTTP/1.1 100 Continue\r\n\r\n";

test("whether a client may send its body is the primary's to say", async () => {
  const stage = await openStage();
  const client = await stage.open(asking);
  expect(await stage.untilHeard("\r\n\r\n")).toMatch(/\r\nExpect: 100-continue\r\nX-Last: 1\r\n/);
  expect(client.received()).toBe("");
  stage.say(goOn);
  await until(client.received, goOn);
  client.socket.write("body");
  await stage.untilHeard("\r\n\r\nbody");
  stage.say(answer);
  expect(await until(client.received, "ok")).toMatch(
    /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*ok$/,
  );
  expect(client.received()).toMatch(/\r\nConnection: keep-alive\r\n/);
});

test("an answer instead of a permission reaches the client, which sends no body", async () => {
  const stage = await openStage();
  const client = await stage.open(asking);
  await stage.untilHeard("\r\n\r\n");
  stage.say("HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno");
  await client.closed;
  // Whether a body follows all the same cannot be known, so nothing else may.
  expect(client.received()).toMatch(/^HTTP\/1\.1 417 No\r\n[\s\S]*\r\nConnection: close\r\n[\s\S]*no$/);
});

test("a client of a primary that gives no permission is not kept waiting for good", async () => {
  const stage = await openStage();
  const client = await stage.open(asking);
  await until(client.received, goOn);
  client.socket.write("body");
  await stage.untilHeard("\r\n\r\nbody");
  // Late: it is not said twice.
  stage.say(goOn + answer);
  expect((await until(client.received, "ok")).match(/100 Continue/g)).toHaveLength(1);
});

test("a client that does not wait is not held up", async () => {
  const stage = await openStage();
  const client = await stage.open(`${asking}body`);
  await stage.untilHeard("\r\n\r\nbody");
  stage.say(answer);
  expect(await until(client.received, "ok")).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
});

const early =
  "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nConnection: X-Own\r\nContent-Length: 9\r\nX-Own: 1\r\nx-more: caf\xe9\r\n\r\n";

test("interim answers reach the client before the answer, without what ends at one hop", async () => {
  const stage = await openStage();
  const client = await stage.open("GET /v2/x HTTP/1.1\r\nHost: h\r\n\r\n");
  await stage.untilHeard("\r\n\r\n");
  stage.say(`HTTP/1.1 102 Processing\r\n\r\n${goOn}`);
  await until(client.received, "102 Processing\r\n\r\n");
  stage.say(early);
  await until(client.received, "103");
  stage.say(answer);
  const text = await until(client.received, "ok");
  const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nx-more: caf\xe9\r\n\r\n";
  expect(text.startsWith(`HTTP/1.1 102 Processing\r\n\r\n${hints}HTTP/1.1 200 OK\r\n`)).toBe(true);
});

test("a client of HTTP/1.0 gets the answer alone", async () => {
  const stage = await openStage();
  const client = await stage.open("GET /v2/x HTTP/1.0\r\n\r\n");
  await stage.untilHeard("\r\n\r\n");
  stage.say(early + answer);
  await client.closed;
  expect(client.received()).toMatch(/^HTTP\/1\.[01] 200 OK\r\n[\s\S]*ok$/);
  expect(client.received()).not.toContain("103");
});
