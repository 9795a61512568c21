import { afterAll, beforeAll, expect, test } from "vitest";
import { createTrafficReader } from "../../src/store/traffic.js";
import { addShadow, captureRow, noonMs, openWorld, segmentCommit, type World } from "./support.js";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

/** A segment of so many captures with 100 kB in and 300 kB out, of which the answers are stored apart. */
async function ship(deploymentId: number, captures: number, bodies: string[], dayOffset = 0): Promise<void> {
  const receivedAtMs = noonMs + dayOffset * 86_400_000;
  const rows = Array.from({ length: captures }, (_, row) =>
    captureRow(row, { receivedAtMs: receivedAtMs + row, requestBytes: 100_000, responseBytes: 300_000 }),
  );
  const commit = segmentCommit(deploymentId, rows);
  commit.segment.bytes = captures * 100_000;
  commit.bodies = bodies.map((sha256) => ({ sha256, bytes: 300_000, refs: 1 }));
  await world.store.catalogue.commitSegment(commit);
}

const share = async (deploymentId: number) =>
  (await createTrafficReader(world.prisma).read(deploymentId, 0)).storedShare;

test("nothing stored is no share", async () => {
  const { deployment } = await addShadow(world);
  expect(await share(deployment.id)).toBeNull();
});

test.each<[string, (id: number) => Promise<void>, number]>([
  ["without bodies apart, that of the segment", (id) => ship(id, 2, []), 200_000 / 800_000],
  ["with each body its own", (id) => ship(id, 2, ["a", "b"]), 1],
  ["a body that is there already costs nothing", (id) => ship(id, 4, ["a"]), 700_000 / 1_600_000],
  [
    "what two segments share is counted once",
    async (id) => {
      await ship(id, 2, ["a"]);
      await ship(id, 2, ["a"]);
    },
    700_000 / 1_600_000,
  ],
  [
    "each day has its own",
    async (id) => {
      await ship(id, 1, ["a"]);
      await ship(id, 1, ["a"], 1);
    },
    1,
  ],
])("%s", async (_, store, expected) => {
  const { deployment } = await addShadow(world);
  await store(deployment.id);
  expect(await share(deployment.id)).toBeCloseTo(expected, 9);
});

test("of a day with more segments than are looked at, the bodies count by their share of its captures", async () => {
  const { deployment } = await addShadow(world);
  for (let segment = 0; segment < 40; segment++) await ship(deployment.id, 1, ["a", "b"]);
  // 20 of 40 segments: 20 × 100 kB and half of 600 kB, of 20 × 400 kB.
  expect(await share(deployment.id)).toBeCloseTo((2_000_000 + 300_000) / 8_000_000, 9);
});
