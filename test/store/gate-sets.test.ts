import { afterAll, beforeAll, expect, test } from "vitest";
import { createGateSets } from "../../src/store/gate-sets.js";
import { addGated, endings } from "../gate/support.js";
import { openWorld, type World } from "./support.js";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

test("pairs of latencies hold the failures of either side; whom the control was not asked for is no pair", async () => {
  const { candidate } = await addGated(world, [
    { candidateMs: 3, controlMs: 2 },
    { candidateMs: 3, controlMs: Number.POSITIVE_INFINITY },
    { ...endings.error, controlMs: 2 },
    { ...endings.error, controlMs: Number.POSITIVE_INFINITY },
    { candidateMs: 3, controlMs: null },
  ]);
  const sets = createGateSets(world.prisma);
  const set = await sets.freeze(candidate.liveRunId, 3_600_000);
  expect(await sets.latencies(set, "control", 100)).toEqual({
    candidateMs: [3, 3, -1, -1],
    referenceMs: [2, -1, 2, -1],
    total: 4,
  });
});
