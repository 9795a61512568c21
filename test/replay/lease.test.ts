import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { holdWork } from "../../src/replay/lease.js";
import { addShadow, captureRow, openWorldForTest, segmentCommit } from "../store/support.js";

test("a heartbeat that finds the work done takes it for done, and not for lost", async () => {
  const world = await openWorldForTest();
  const { deployment } = await addShadow(world);
  const { workIds } = await world.store.catalogue.commitSegment(
    segmentCommit(deployment.id, [captureRow(0)]),
  );
  const warnings: string[] = [];
  const log = pino({ level: "warn" }, { write: (line) => void warnings.push(line) });
  let told = () => {};
  const asked = new Promise<void>((resolve) => {
    told = resolve;
  });
  const work = {
    ...world.store.work,
    async isOpen(workId: bigint) {
      const open = await world.store.work.isOpen(workId);
      setImmediate(told);
      return open;
    },
  };
  const held = await holdWork({ work, log, by: "one" }, workIds[0]!);
  onTestFinished(() => held!.drop());
  await world.store.work.markDead(workIds[0]!, held!.work.lease, "for the test");
  await asked;
  expect(held!.lost.aborted).toBe(false);
  expect(warnings).toEqual([]);
});
