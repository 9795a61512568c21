import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import type { BenchContext } from "../bench.js";
import { hasDebianPostgres, startOwnPostgres } from "../servers.js";
import { type BenchDatabase, connectBenchDatabase } from "../store/database.js";
import { type Filled, fill } from "./fill.js";

export interface World extends BenchDatabase, Filled {}

/** Databases on one server, each with so many comparisons. */
export async function openWorlds({ onEnd, say }: BenchContext, sizes: readonly number[]): Promise<World[]> {
  const folder = await mkdtemp(join(tmpdir(), "understudy-bench-"));
  onEnd(() => rm(folder, { recursive: true, force: true }));
  const postgres = await startOwnPostgres({
    folder: join(folder, "postgres"),
    debian: hasDebianPostgres(),
    // What is read later is not written any faster by these.
    settings: {
      fsync: "off",
      synchronous_commit: "off",
      full_page_writes: "off",
      wal_level: "minimal",
      max_wal_senders: 0,
      max_wal_size: "8GB",
      shared_buffers: "1GB",
      maintenance_work_mem: "512MB",
      work_mem: "64MB",
      autovacuum: "off",
    },
  });
  onEnd(() => postgres.kill());
  const worlds: World[] = [];
  for (const size of sizes) {
    const name = `of_${size}`;
    const client = new Client({ connectionString: postgres.url });
    await client.connect();
    await client.query(`CREATE DATABASE ${name}`);
    await client.end();
    const url = new URL(postgres.url);
    url.pathname = `/${name}`;
    const database = await connectBenchDatabase(url.href, { onEnd });
    const begunMs = performance.now();
    const filled = await fill(database, size);
    say(`${size} comparisons filled in ${((performance.now() - begunMs) / 1_000).toFixed(1)} s`);
    worlds.push({ ...database, ...filled });
  }
  return worlds;
}
