import { afterAll, beforeAll, expect, test } from "vitest";
import { createPrisma } from "../../src/store/client.js";
import { createOutcomes } from "../../src/store/outcomes.js";
import { createStatementNames } from "../../src/store/prepared.js";
import { createWorkStore } from "../../src/store/work.js";
import {
  addShadow,
  captureRow,
  openWorld,
  outcomeRow,
  outputComparison,
  segmentCommit,
  type World,
} from "./support.js";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

test("a statement has the name of its text, and one without the mark has none", () => {
  const nameOf = createStatementNames();
  const name = nameOf({ sql: "/* prepared */ SELECT 1" });
  expect(name).not.toBe("");
  expect(nameOf({ sql: "/* prepared */ SELECT 1" })).toBe(name);
  expect(nameOf({ sql: "/* prepared */ SELECT 2" })).not.toBe(name);
  expect(nameOf({ sql: "SELECT 1" })).toBe("");
});

test("texts that are never the same do not fill the server with statements", () => {
  const nameOf = createStatementNames();
  const names = Array.from({ length: 100 }, (_, n) => nameOf({ sql: `/* prepared */ SELECT ${n}` }));
  expect(new Set(names.filter((name) => name !== "")).size).toBe(64);
  expect(names[99]).toBe("");
});

test("works of any size, with and without divergences, are leased and committed by the same statements", async () => {
  const { deployment } = await addShadow(world);
  const prisma = createPrisma(world.url, { poolMax: 1 });
  const works = createWorkStore(prisma);
  const outcomes = createOutcomes(prisma);
  for (const size of [1, 3, 40]) {
    const captures = Array.from({ length: size }, (_, row) => captureRow(row));
    const { workIds } = await world.store.catalogue.commitSegment(segmentCommit(deployment.id, captures));
    await works.sight(workIds[0]!);
    const { id: workId, lease } = (await works.lease(workIds[0]!, "test", 60_000))!;
    const rows = captures.map((capture, row) =>
      row % 2 === 0
        ? outcomeRow(capture, { outputs: [] })
        : outcomeRow(capture, {
            ...{ result: "mismatch", kind: "value", signature: "abc", details: { message: "x" } },
            outputs: [outputComparison({ result: "mismatch", kind: "value" })],
          }),
    );
    expect(await outcomes.commitWork({ workId, lease, judgedAtMs: Date.now(), rows })).toBe("committed");
  }
  const statements = await prisma.$queryRaw<{ name: string }[]>`
    SELECT name FROM pg_prepared_statements WHERE name <> ''`;
  expect(statements).toHaveLength(3);
  await prisma.$disconnect();
});
