import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, open, readFile, realpath } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, escapeIdentifier } from "pg";
import { messageOf, UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";
import { processIdentity } from "../process/identity.js";
import { commandOf, findPostgres, type PostgresBinaries, postgresEnvironment } from "./postgres-binaries.js";
import { embeddedUser, preparePostgresFolder } from "./postgres-folder.js";
import { clearLeftover, ownerSetting, stopServer } from "./postgres-leftover.js";

const database = "understudy";
/** After a crash there can be much to recover. */
const startDeadlineMs = 120_000;
const startsMax = 5;

export interface EmbeddedPostgres {
  readonly url: string;
  /** Stops the server; resolves when it is gone, after 7 s at most. */
  close(): Promise<void>;
}

/**
 * Starts a Postgres of our own, whose data stays in `<dataDir>/postgres`, on a free port of 127.0.0.1. It runs in a
 * session of its own, so that Ctrl-C does not reach it before its clients have closed. A server that a killed process
 * left behind is stopped first.
 *
 * @throws UnderstudyError `config_invalid` when the folder cannot be made; `conflict` when another process uses the folder; `child_failed` when it cannot run here.
 */
export async function startEmbeddedPostgres(options: {
  dataDir: string;
  log: Logger;
}): Promise<EmbeddedPostgres> {
  const { log } = options;
  const dataDir = await makeFolder(options.dataDir);
  const folder = join(dataDir, "postgres");
  const data = join(folder, "data");
  await clearLeftover(data, log);
  const binaries = await findPostgres(dataDir);
  const password = await preparePostgresFolder(folder, binaries);

  for (let starts = 1; ; starts++) {
    const port = await freePort();
    const urlOf = (name: string) => `postgresql://${embeddedUser}:${password}@127.0.0.1:${port}/${name}`;
    const logFile = join(folder, "postgres.log");
    const server = await spawnServer(binaries, data, port, logFile);
    const fault = await ready(server, urlOf("postgres"));
    if (fault === null) {
      log.info({ postgresPid: server.pid, port, log: logFile }, "embedded Postgres started");
      return { url: urlOf(database), close: keep(server, log) };
    }
    const said = (await readFile(logFile, "utf8").catch(() => "")).trim().split("\n").slice(-5).join("\n");
    // Another process took the port, or was faster to start on this folder, or a killed server's children linger.
    const transient = /could not bind|could not create any TCP|postmaster\.pid|shared memory block/.test(
      said,
    );
    if (!transient || starts === startsMax) {
      throw new UnderstudyError("child_failed", `The embedded Postgres did not start: ${fault}`, {
        hint: `It said: ${said} (${logFile})`,
      });
    }
    await clearLeftover(data, log);
    await sleep(300 * starts);
  }
}

/** Its path without links: by it a server that was left behind is recognised. */
async function makeFolder(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true });
    return await realpath(path);
  } catch (error) {
    throw new UnderstudyError(
      "config_invalid",
      `The data folder ${path} cannot be made: ${messageOf(error)}`,
      {
        hint: "Set UNDERSTUDY_DATA_DIR to a folder that you may write to.",
        cause: error,
      },
    );
  }
}

async function spawnServer(
  { prefix, postgres }: PostgresBinaries,
  data: string,
  port: number,
  logFile: string,
): Promise<ChildProcess> {
  const settings = {
    [ownerSetting]: processIdentity(process.pid),
    cluster_name: "understudy",
    listen_addresses: "127.0.0.1",
    port,
    // Its path may be longer than a socket's may be.
    unix_socket_directories: "",
    // Gateway, control and workers hold a pool of ten for Prisma and a few for BullMQ each: room for about eight.
    max_connections: 100,
    shared_buffers: "64MB",
    fsync: "on",
    timezone: "UTC",
    log_timezone: "UTC",
    log_checkpoints: "off",
  };
  const [command, args] = commandOf(prefix, postgres, [
    "-D",
    data,
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ]);
  // A file, since a pipe would break with this process; emptied at each start, so that it cannot grow for ever.
  const output = await open(logFile, "w", 0o600);
  try {
    const server = spawn(command, args, {
      cwd: "/",
      env: postgresEnvironment,
      detached: true,
      stdio: ["ignore", output.fd, output.fd],
    });
    server.on("error", () => {});
    // Whoever forgets to close it must still be able to end.
    server.unref();
    return server;
  } finally {
    await output.close();
  }
}

/** Waits until the server takes connections and has the database. Null, or why it does not. */
async function ready(server: ChildProcess, adminUrl: string): Promise<string | null> {
  const deadline = Date.now() + startDeadlineMs;
  for (;;) {
    const client = new Client({ connectionString: adminUrl, connectionTimeoutMillis: 5_000 });
    client.on("error", () => {});
    try {
      await client.connect();
      const found = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [database]);
      if (found.rowCount === 0) await client.query(`CREATE DATABASE ${escapeIdentifier(database)}`);
      return null;
    } catch (error) {
      if (server.pid === undefined || server.exitCode !== null || server.signalCode !== null) {
        return `it ended with ${server.exitCode ?? server.signalCode ?? "an error before it began"}`;
      }
      if (Date.now() > deadline) {
        await stopServer(server.pid);
        return messageOf(error);
      }
    } finally {
      await client.end().catch(() => {});
    }
    await sleep(30);
  }
}

/** Watches over a running server; returns what stops it. */
function keep(server: ChildProcess, log: Logger): () => Promise<void> {
  const died = (code: number | null, signal: NodeJS.Signals | null) =>
    log.error({ code, signal }, "the embedded Postgres ended by itself");
  // For an end of this process that skips closing.
  const lastResort = () => server.kill("SIGINT");
  server.once("exit", died);
  process.once("exit", lastResort);
  return async () => {
    server.removeListener("exit", died);
    process.removeListener("exit", lastResort);
    await stopServer(server.pid!);
  };
}

/** A port nobody listens on at this moment. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
