import { segmentCaptures } from "../../src/capture/spool.js";
import { dayOf } from "../../src/ids.js";
import { outcomesOfWork } from "../store/rows.js";
import { addLeasedWorks } from "../store/works.js";
import { type Contestant, fastest, takeTurns } from "../timing.js";
import type { World } from "./world.js";

const worksPerTurn = 8;
const rounds = 5;
const everyMs = 1;

/**
 * What a comparison costs to store, by how many are there already: by works of full segments, into the day that has the newest.
 *
 * @returns microseconds of each, by the number of comparisons
 */
export async function storingCosts(worlds: readonly World[]): Promise<Map<number, number>> {
  const seconds = await takeTurns(
    Object.fromEntries(worlds.map((world) => [String(world.comparisons), committer(world)])),
    rounds,
  );
  const perTurn = worksPerTurn * segmentCaptures;
  return new Map(
    worlds.map(({ comparisons }) => [comparisons, (fastest(seconds[comparisons]!) / perTurn) * 1e6]),
  );
}

function committer(world: World): Contestant {
  let atMs = world.lastMs;
  return async () => {
    const workIds = await addLeasedWorks(world, dayOf(atMs), worksPerTurn, segmentCaptures);
    const works = workIds.map((workId) => {
      const rows = outcomesOfWork(atMs, everyMs);
      atMs += segmentCaptures * everyMs;
      return { workId, lease: 1, judgedAtMs: atMs, rows };
    });
    const begun = performance.now();
    for (const work of works) await world.store.outcomes.commitWork(work);
    return (performance.now() - begun) / 1_000;
  };
}
