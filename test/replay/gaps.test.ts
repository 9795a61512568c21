import { connect, createServer } from "node:net";
import { expect, it } from "vitest";
import { createGaps } from "../../src/replay/gaps.js";

it("what waits is done in order, after what the turn still has to do", async () => {
  const gaps = createGaps();
  const done: string[] = [];
  const all = ["a", "b", "c"].map((name) => gaps.run(() => done.push(name)));
  setImmediate(() => done.push("sent"));
  await Promise.all(all);
  expect(done).toEqual(["sent", "a", "b", "c"]);
  await gaps.run(() => done.push("d"));
  expect(done.at(-1)).toBe("d");
});

it("what arrives does not wait for all that waits", async () => {
  const gaps = createGaps();
  const server = createServer((socket) => socket.end("x"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  let left = 1_000;
  let leftAtArrival = 0;
  const arrived = new Promise<void>((resolve) => {
    connect((server.address() as { port: number }).port, "127.0.0.1").once("data", () => {
      leftAtArrival = left;
      resolve();
    });
  });
  const all = Array.from({ length: left }, () =>
    gaps.run(() => {
      for (const untilMs = performance.now() + 1; performance.now() < untilMs; );
      left -= 1;
    }),
  );
  await arrived;
  expect(leftAtArrival).toBeGreaterThan(0);
  await Promise.all(all);
  server.close();
});

it("one that fails fails alone", async () => {
  const gaps = createGaps();
  const failing = gaps.run(() => {
    throw new Error("no");
  });
  const other = gaps.run(() => {});
  await expect(failing).rejects.toThrow("no");
  await other;
});
