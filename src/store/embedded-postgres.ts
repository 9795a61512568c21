import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, escapeIdentifier } from "pg";
import { messageOf, UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";
import { freePort } from "../process/free-port.js";
import { processIdentity } from "../process/identity.js";
import { makeDataFolder } from "../process/make-folder.js";
import { commandOf, findPostgres, type PostgresBinaries, postgresEnvironment } from "./postgres-binaries.js";
import { embeddedUser, preparePostgresFolder } from "./postgres-folder.js";
import { clearLeftover, ownerSetting, stopServer } from "./postgres-leftover.js";

const database = "understudy";
/** After a crash there can be much to recover. */
const startDeadlineMs = 120_000;
const startsMax = 5;
/** How long a server that ended by itself is left before it is started again; twice as long each time. */
const restartMs = { first: 300, most: 5_000 };

/** Starts the server once more, on the same port. */
type Again = (ending: AbortSignal) => Promise<ChildProcess>;

export interface EmbeddedPostgres {
  readonly url: string;
  /** Stops the server; resolves when it is gone, after 7 s at most. */
  close(): Promise<void>;
}

/**
 * Starts a Postgres of our own, whose data stays in `<dataDir>/postgres`, on a free port of 127.0.0.1. It runs in a
 * session of its own, so that Ctrl-C does not reach it before its clients have closed. A server that a killed process
 * left behind is stopped first. One that ends by itself is started again on the same port.
 *
 * @param options.ending gives up while it is starting; it is stopped then
 * @throws UnderstudyError `config_invalid` when the folder cannot be made; `conflict` when another process uses the folder; `child_failed` when it cannot run here.
 */
export async function startEmbeddedPostgres(options: {
  dataDir: string;
  log: Logger;
  ending?: AbortSignal;
}): Promise<EmbeddedPostgres> {
  const { log, ending } = options;
  const dataDir = await makeDataFolder(options.dataDir);
  const folder = join(dataDir, "postgres");
  const data = join(folder, "data");
  await clearLeftover(data, log);
  const binaries = await findPostgres(dataDir);
  ending?.throwIfAborted();
  const password = await preparePostgresFolder(folder, binaries);

  for (let starts = 1; ; starts++) {
    ending?.throwIfAborted();
    const port = await freePort("127.0.0.1");
    const urlOf = (name: string) => `postgresql://${embeddedUser}:${password}@127.0.0.1:${port}/${name}`;
    const logFile = join(folder, "postgres.log");
    const server = await spawnServer(binaries, data, port, logFile);
    const fault = await ready(server, urlOf("postgres"), ending);
    if (fault === null) {
      log.info({ postgresPid: server.pid, port, log: logFile }, "embedded Postgres started");
      const again: Again = async (closing) => {
        const next = await spawnServer(binaries, data, port, logFile);
        const fault = await ready(next, urlOf("postgres"), closing);
        if (fault !== null) throw new UnderstudyError("child_failed", `${fault}; see ${logFile}`);
        return next;
      };
      return { url: urlOf(database), close: keep(server, again, log) };
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

/**
 * Waits until the server takes connections and has the database. Null, or why it does not.
 * @throws the signal's reason when that aborts; the server is stopped then
 */
async function ready(
  server: ChildProcess,
  adminUrl: string,
  ending: AbortSignal | undefined,
): Promise<string | null> {
  const deadline = Date.now() + startDeadlineMs;
  for (;;) {
    if (ending?.aborted && server.pid !== undefined) await stopServer(server.pid);
    ending?.throwIfAborted();
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

/** Starts a server that ended by itself again, and again; returns what stops it. */
function keep(first: ChildProcess, again: Again, log: Logger): () => Promise<void> {
  const closing = new AbortController();
  const { signal } = closing;
  let server = first;
  // For an end of this process that skips closing.
  const lastResort = () => server.kill("SIGINT");
  process.once("exit", lastResort);

  async function watch(): Promise<void> {
    for (let waitMs = restartMs.first; ; waitMs = Math.min(waitMs * 2, restartMs.most)) {
      if (server.exitCode === null && server.signalCode === null) {
        await once(server, "exit", { signal });
        waitMs = restartMs.first;
      }
      const { exitCode: code, signalCode } = server;
      log.error({ code, signal: signalCode, restartInMs: waitMs }, "the embedded Postgres ended by itself");
      // Whoever forgets to close it must still be able to end.
      await sleep(waitMs, undefined, { signal, ref: false });
      const started = await again(signal).catch((error: unknown) => {
        if (!signal.aborted) log.error({ error: messageOf(error) }, "it did not start again");
        return null;
      });
      if (started === null) continue;
      server = started;
      log.info({ postgresPid: server.pid }, "the embedded Postgres runs again");
    }
  }
  const watched = watch().catch((error: unknown) => {
    if (!signal.aborted) log.error({ error: messageOf(error) }, "the embedded Postgres is no longer watched");
  });
  return async () => {
    closing.abort();
    await watched;
    process.removeListener("exit", lastResort);
    if (server.exitCode === null && server.signalCode === null) await stopServer(server.pid!);
  };
}
