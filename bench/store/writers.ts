import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { segmentCaptures } from "../../src/capture/spool.js";
import { dayOf } from "../../src/ids.js";
import type { PrismaClient } from "../../src/store/client.js";
import type { Contestant } from "../timing.js";
import type { BenchDatabase } from "./database.js";
import { diffsOf, outcomesOf } from "./prisma-rows.js";
import { type Traffic, worksPerRound } from "./traffic.js";
import { addLeasedWorks } from "./works.js";

/** Runs that the peers write for, a new one each round: a capture has one outcome in a run. */
export const runsOfCopy = 1_000_000;
export const runsOfCreateMany = 2_000_000;

/** Ours: works already leased, committed one after the other. */
export function ownWriter(database: BenchDatabase, traffic: Traffic): Contestant {
  return async () => {
    const given = traffic();
    const workIds = await addLeasedWorks(
      database,
      dayOf(given[0]![0]!.capturedAtMs),
      worksPerRound,
      segmentCaptures,
    );
    return secondsOf(async () => {
      for (const [i, rows] of given.entries()) {
        const judgedAtMs = rows.at(-1)!.capturedAtMs;
        await database.store.outcomes.commitWork({ workId: workIds[i]!, lease: 1, judgedAtMs, rows });
      }
    });
  };
}

export function createManyWriter(prisma: PrismaClient, traffic: Traffic): Contestant {
  let run = runsOfCreateMany;
  return async () => {
    run += 1;
    const batches = traffic().map((rows) => ({ outcomes: outcomesOf(run, rows), diffs: diffsOf(run, rows) }));
    return secondsOf(async () => {
      for (const { outcomes, diffs } of batches) {
        await prisma.outcome.createMany({ data: outcomes });
        await prisma.outputDiff.createMany({ data: diffs });
      }
    });
  };
}

/** psql's COPY of what ours wrote in its first round, by psql's own clock: without its start and connection. */
export function copyWriter({ url, folder, runId, query }: BenchDatabase & { folder: string }): Contestant {
  let run = runsOfCopy;
  const psql = (...commands: string[]) =>
    execFileSync("psql", [url, "-X", "-q", "-v", "ON_ERROR_STOP=1", ...commands.flatMap((c) => ["-c", c])], {
      encoding: "utf8",
    });
  const tables = ["outcomes", "output_diffs"];
  return async () => {
    run += 1;
    const copies: string[] = [];
    for (const table of tables) {
      const columns = await columnsOf(query, table);
      const picked = columns.map((name) => (name === "run_id" ? `${run}` : `"${name}"`));
      const file = join(folder, `${table}.copy`);
      psql(
        `\\copy (SELECT ${picked} FROM ${table} WHERE run_id = ${runId} ORDER BY capture_id LIMIT ${worksPerRound * segmentCaptures}) TO '${file}'`,
      );
      copies.push(`\\copy ${table} (${columns.map((name) => `"${name}"`)}) FROM '${file}'`);
    }
    const said = psql("\\timing on", ...copies);
    const times = [...said.matchAll(/^Time: ([\d.]+) ms/gm)].map((match) => Number(match[1]));
    if (times.length !== tables.length) throw new Error(`psql said no times: ${said}`);
    return times.reduce((sum, ms) => sum + ms, 0) / 1_000;
  };
}

async function columnsOf(query: BenchDatabase["query"], table: string): Promise<string[]> {
  const rows = await query<{ name: string }>(
    "SELECT column_name AS name FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position",
    [table],
  );
  return rows.map(({ name }) => name);
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1_000;
}
