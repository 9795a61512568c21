import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pool, type QueryResultRow } from "pg";
import { pino } from "pino";
import { startEmbeddedPostgres } from "../../src/store/embedded-postgres.js";
import { migrate } from "../../src/store/migrate.js";
import { createStore, type Store } from "../../src/store/store.js";
import type { BenchContext } from "../bench.js";

/** A migrated database of its own, with one deployment and the live run of its one candidate. */
export interface BenchDatabase {
  readonly url: string;
  readonly store: Store;
  readonly deploymentId: number;
  readonly candidateId: number;
  readonly runId: number;
  query<Row extends QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
}

export const deploymentName = "bench";
export const candidateName = "int8";

export async function openBenchDatabase({
  onEnd,
}: Pick<BenchContext, "onEnd">): Promise<BenchDatabase & { folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), "understudy-bench-"));
  onEnd(() => rm(folder, { recursive: true, force: true }));
  const log = pino({ level: "warn" }, pino.destination(2));
  const postgres = await startEmbeddedPostgres({ dataDir: folder, log });
  onEnd(() => postgres.close());
  return { folder, ...(await connectBenchDatabase(postgres.url, { onEnd })) };
}

/** Migrates an empty database, and registers the deployment and its candidate. */
export async function connectBenchDatabase(
  url: string,
  { onEnd }: Pick<BenchContext, "onEnd">,
): Promise<BenchDatabase> {
  await migrate(url, { log: pino({ level: "warn" }, pino.destination(2)) });
  const pool = new Pool({ connectionString: url, max: 4, options: "-c timezone=UTC" });
  pool.on("error", () => {});
  onEnd(() => pool.end());
  const store = createStore(url, { poolMax: 2 });
  onEnd(() => store.close());
  const endpoint = { url: "http://127.0.0.1:9", model: deploymentName, version: null, headers: {} };
  const { id: deploymentId } = await store.registry.createDeployment({
    name: deploymentName,
    primary: endpoint,
    control: null,
    sampleRate: 1,
    captureEnabled: true,
    policy: { outputs: {} },
  });
  const { id: candidateId, liveRunId: runId } = await store.registry.addCandidate(deploymentName, {
    name: candidateName,
    endpoint: { ...endpoint, model: candidateName },
    sha256: null,
    metadata: {},
  });
  return {
    url,
    store,
    deploymentId,
    candidateId,
    runId,
    async query<Row extends QueryResultRow>(sql: string, values: readonly unknown[] = []) {
      return (await pool.query<Row>(sql, [...values])).rows;
    },
  };
}
