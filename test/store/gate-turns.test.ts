import { afterAll, beforeAll, expect, test } from "vitest";
import { addShadow, openWorld, type World } from "./support.js";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

test("a gate over a live run whose judge died ends; a young one does not", async () => {
  const { deployment, candidate } = await addShadow(world);
  const { gates } = world.store;
  const { id: candidateId, liveRunId: runId } = candidate;
  const begin = (author: string) =>
    gates.create({ deploymentId: deployment.id, candidateId, runId, author, request: {} });
  const [old, young] = [await begin("old"), await begin("young")];
  await world.prisma
    .$executeRaw`UPDATE gates SET created_at = now() - interval '11 minutes' WHERE id = ${old}`;
  await gates.endAbandoned(600_000);
  expect(await gates.get(old)).toMatchObject({ state: "failed", verdict: null });
  expect((await gates.get(old)).error).toMatch(/Start another gate/);
  expect(await gates.get(young)).toMatchObject({ state: "running", error: null });
});
