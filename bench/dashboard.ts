import type { BenchContext, BenchResult } from "./bench.js";
import { storingCosts } from "./dashboard/cost.js";
import { type Ask, pageQueries, tableQueries } from "./dashboard/queries.js";
import { checkPage, checkSummary } from "./dashboard/recount.js";
import { openWorlds, type World } from "./dashboard/world.js";

// The same questions, asked in turns of a database with ten thousand comparisons and of one with ten million, on one
// server: what the pages of a deployment ask, and what its alerts do. What they answer is held against the rows.

const few = 10_000;
/** At most: a p95 of few would be one of the few times that something else had the processor. */
const rounds = 1_000;
/** For each query. Slow ones are asked less often: they are slow in every round. Tables are many. */
const budgetMs = { page: 6_000, table: 3_000 };

export async function bench(context: BenchContext): Promise<BenchResult> {
  const { say, size } = context;
  const many = size ?? 10_000_000;
  const worlds = await openWorlds(context, [few, many]);
  const [small, large] = worlds as [World, World];
  const tables = tableQueries();
  for (const [name, queryOf] of Object.entries(tables)) await checkPage(small, name, queryOf(small));
  const quantileError = Math.max(...(await Promise.all([small, large].map(checkSummary))));
  const asked: Record<string, Ask> = {
    ...pageQueries,
    ...Object.fromEntries(
      Object.entries(tables).map(([name, queryOf]): [string, Ask] => [
        name,
        (world) => world.store.comparisons.list(queryOf(world)),
      ]),
    ),
  };
  say(`${"p95, ms".padEnd(52)} ${`at ${few}`.padStart(12)} ${`at ${many}`.padStart(12)}  ratio`);
  // The first time finds nothing planned, nothing in memory, and code that was not compiled yet.
  for (const ask of Object.values(asked)) for (const world of [small, large]) await ask(world);
  const all: Record<"small" | "large", number[]> = { small: [], large: [] };
  let worst = 0;
  for (const [name, ask] of Object.entries(asked)) {
    const times = await inTurns(ask, small, large, name in tables ? budgetMs.table : budgetMs.page);
    all.small.push(...times.small);
    all.large.push(...times.large);
    const [a, b] = [p95(times.small), p95(times.large)];
    worst = Math.max(worst, b / a);
    say(
      `${name.padEnd(52)} ${a.toFixed(2).padStart(12)} ${b.toFixed(2).padStart(12)} ${(b / a).toFixed(2).padStart(6)}`,
    );
  }
  say(`largest error of a quantile: ${(100 * quantileError).toFixed(2)} %`);
  const others = await openWorlds(
    context,
    [1_000, 100_000, 1_000_000].filter((n) => n < many),
  );
  say("comparisons there   µs to store one more");
  const costs = await storingCosts([...worlds, ...others].sort((a, b) => a.comparisons - b.comparisons));
  for (const [comparisons, us] of costs) say(`${String(comparisons).padStart(17)}   ${us.toFixed(1)}`);
  return {
    ratios: {
      p95_1e7_vs_1e4: p95(all.large) / p95(all.small),
      worst_query_1e7_vs_1e4: worst,
      quantile_error_max: quantileError,
    },
    missing: [],
  };
}

/** Milliseconds of each time that it was asked. */
async function inTurns(
  ask: Ask,
  small: World,
  large: World,
  forMs: number,
): Promise<Record<"small" | "large", number[]>> {
  const times: Record<"small" | "large", number[]> = { small: [], large: [] };
  // What was asked of others meanwhile has taken the memory.
  await ask(small);
  await ask(large);
  const begunMs = performance.now();
  for (let round = 0; round < rounds; round++) {
    for (const which of round % 2 === 0 ? (["small", "large"] as const) : (["large", "small"] as const)) {
      const startMs = performance.now();
      await ask(which === "small" ? small : large);
      times[which].push(performance.now() - startMs);
    }
    if (round >= 4 && performance.now() - begunMs > forMs) break;
  }
  return times;
}

function p95(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.ceil(0.95 * sorted.length) - 1]!;
}
