import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { TestProject } from "vitest/node";
import { cliMain, packageRoot } from "../../src/paths.js";
import { startEmbeddedPostgres } from "../../src/store/embedded-postgres.js";
import { migrate } from "../../src/store/migrate.js";
import { databaseAt, onServer } from "./postgres.js";

declare module "vitest" {
  export interface ProvidedContext {
    /** The one Postgres of this run, and the migrated database in it that test databases are copied from. */
    testPostgres: { url: string; template: string };
  }
}

const log = pino({ level: "warn" }, pino.destination(2));

/** Once a run: builds what process tests start, and has one Postgres with one migrated template database. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  // Every project inherits this file and runs it; what the root provides reaches them all.
  if (!project.isRootProject()) return undefined;
  build();
  const server = await startServer();
  const template = `understudy_test_${randomBytes(4).toString("hex")}`;
  await onServer(server.url, (client) => client.query(`CREATE DATABASE "${template}"`));
  await migrate(databaseAt(server.url, template), { log });
  project.provide("testPostgres", { url: server.url, template });
  return async () => {
    await onServer(server.url, async (client) => {
      // Also what tests that failed did not drop: their names begin with the template's.
      const { rows } = await client.query("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", [
        template,
      ]);
      for (const { datname } of rows) await client.query(`DROP DATABASE "${datname}" WITH (FORCE)`);
    });
    await server.close();
  };
}

/** `UNDERSTUDY_TEST_DATABASE_URL` (its role must be allowed to create databases), or an embedded one for this run. */
async function startServer(): Promise<{ url: string; close(): Promise<void> }> {
  const given = process.env.UNDERSTUDY_TEST_DATABASE_URL;
  if (given) return { url: given, close: () => Promise.resolve() };
  const dataDir = await mkdtemp(join(tmpdir(), "understudy-test-postgres-"));
  const server = await startEmbeddedPostgres({ dataDir, log });
  return {
    url: server.url,
    close: async () => {
      await server.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/**
 * Compiles into dist/, for tests that start processes. The build state lies in dist/, so that it goes when dist/ goes.
 * Type errors are `npm run typecheck`'s to report; here they stop only CI.
 */
function build(): void {
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const args = [
    "-p",
    "tsconfig.build.json",
    "--incremental",
    "--tsBuildInfoFile",
    "dist/tsconfig.tsbuildinfo",
  ];
  try {
    execFileSync(process.execPath, [tsc, ...args], { cwd: packageRoot, encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    const said = (error as { stdout?: string }).stdout ?? String(error);
    if (process.env.CI) throw new Error(`dist/ does not compile:\n${said}`);
    process.stderr.write(`dist/ has type errors:\n${said}`);
  }
  if (existsSync(cliMain)) chmodSync(cliMain, 0o755);
}
