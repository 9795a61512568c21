import { spawnSync } from "node:child_process";
import { segmentCaptures } from "../src/capture/spool.js";
import { createPrisma } from "../src/store/client.js";
import type { BenchContext, BenchResult } from "./bench.js";
import { type BenchDatabase, openBenchDatabase } from "./store/database.js";
import { createTraffic, worksPerRound } from "./store/traffic.js";
import { copyWriter, createManyWriter, ownWriter, runsOfCopy, runsOfCreateMany } from "./store/writers.js";
import { type Contestant, fastest, speedup, takeTurns } from "./timing.js";

// The same kind of outcomes, with one output each, into the same two partitioned tables with all their indexes, on one
// connection each: ours by works of full segments with fence, rollup deltas and groups of divergences; psql's COPY with the rows
// alone, from files, one statement for each table; Prisma's createMany with the rows alone, by works.

const rounds = 4;

export async function bench(context: BenchContext): Promise<BenchResult> {
  const { say } = context;
  const hasPsql = spawnSync("psql", ["--version"]).status === 0;
  const database = await openBenchDatabase(context);
  const prisma = createPrisma(database.url, { poolMax: 1 });
  context.onEnd(() => prisma.$disconnect());
  const traffic = createTraffic();
  const ours = ownWriter(database, traffic);
  const createMany = createManyWriter(prisma, traffic);
  const copy = copyWriter(database);
  // The first turn finds nothing prepared; and COPY's files are made of what ours wrote.
  await ours();
  await createMany();
  if (hasPsql) await copy();
  const contestants: Record<string, Contestant> = { ours, createMany, ...(hasPsql ? { copy } : {}) };
  const seconds = await takeTurns(contestants, rounds);
  await ensureAlike(database, hasPsql);
  for (const [name, times] of Object.entries(seconds)) {
    say(`${name.padEnd(10)} ${Math.round((worksPerRound * segmentCaptures) / fastest(times))} outcomes/s`);
  }
  return {
    ratios: {
      ...(seconds.copy ? { vs_copy: speedup(seconds.copy, seconds.ours!) } : {}),
      vs_create_many: speedup(seconds.createMany!, seconds.ours!),
    },
    missing: hasPsql ? [] : ["psql"],
  };
}

/** Each has written the same number of rows, and ours has counted each of its own once. */
async function ensureAlike(database: BenchDatabase, hasPsql: boolean): Promise<void> {
  const wanted = (rounds + 1) * worksPerRound * segmentCaptures;
  const [found] = await database.query<Record<string, number>>(
    `WITH o AS (SELECT run_id FROM outcomes), d AS (SELECT run_id FROM output_diffs)
     SELECT (SELECT count(*)::int FROM o WHERE run_id < ${runsOfCopy}) AS ours,
            (SELECT count(*)::int FROM d WHERE run_id < ${runsOfCopy}) AS "ours' outputs",
            (SELECT sum(n)::int FROM rollup_deltas, unnest(labels, counts) AS c(label, n)
              WHERE series = 'results') AS "ours' rollups",
            (SELECT count(*)::int FROM o WHERE run_id >= ${runsOfCreateMany}) AS "createMany's",
            (SELECT count(*)::int FROM d WHERE run_id >= ${runsOfCreateMany}) AS "createMany's outputs",
            (SELECT count(*)::int FROM o WHERE run_id BETWEEN ${runsOfCopy} AND ${runsOfCreateMany - 1}) AS "COPY's",
            (SELECT count(*)::int FROM d WHERE run_id BETWEEN ${runsOfCopy} AND ${runsOfCreateMany - 1}) AS "COPY's outputs"`,
  );
  for (const [whose, n] of Object.entries(found!)) {
    const expected = whose.startsWith("COPY") && !hasPsql ? 0 : wanted;
    if (n !== expected) throw new Error(`${whose} are ${n} rows, not ${expected}`);
  }
}
