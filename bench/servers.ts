import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, openSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { Client } from "pg";
import { freePort } from "../src/process/free-port.js";
import { commandOf, findPostgres, postgresEnvironment } from "../src/store/postgres-binaries.js";

/** A server of our own that may be stopped, halted, killed and started again, always on the same port. */
export interface OwnServer {
  readonly url: string;
  readonly port: number;
  /** Of its first process; the others descend from it. */
  readonly pid: number;
  /** Ends it and all its processes at once; resolves when they are gone. */
  kill(): Promise<void>;
  /** After {@link kill}. Resolves when it answers. */
  restart(): Promise<void>;
  /** SIGSTOP to all its processes: connections stay, and nothing answers. */
  halt(): void;
  resume(): void;
}

/** Where Debian keeps the Postgres that its version 12 has. */
const debianPrograms = "/usr/lib/postgresql/15/bin";

export function hasDebianPostgres(): boolean {
  return existsSync(join(debianPrograms, "postgres"));
}

const readyWithinMs = 60_000;

/**
 * A Postgres on a free port, with its data in `folder`.
 * @param options.debian Debian's Postgres 15 instead of the embedded one
 * @param options.settings beside the server's own defaults
 */
export async function startOwnPostgres(options: {
  folder: string;
  debian: boolean;
  settings?: Readonly<Record<string, string | number>>;
}): Promise<OwnServer> {
  const { folder, debian, settings = {} } = options;
  await mkdir(folder, { recursive: true });
  const { prefix, initdb, postgres } = await findPostgres(folder);
  const program = (name: "initdb" | "postgres", embedded: string) =>
    debian ? join(debianPrograms, name) : embedded;
  const data = join(folder, "data");
  const port = await freePort("127.0.0.1");
  const [init, initArgs] = commandOf(prefix, program("initdb", initdb), [
    ...["-D", data, "-U", "understudy", "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions"],
  ]);
  await promisify(execFile)(init, initArgs, { env: postgresEnvironment, cwd: "/" });
  const all = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: "",
    max_connections: 100,
    timezone: "UTC",
    ...settings,
  };
  const [command, args] = commandOf(prefix, program("postgres", postgres), [
    ...["-D", data],
    ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ]);
  const url = `postgresql://understudy@127.0.0.1:${port}/postgres`;
  return ownServer({
    url,
    port,
    start: () => {
      const output = openSync(join(folder, "log"), "a", 0o600);
      return spawn(command, args, {
        env: postgresEnvironment,
        cwd: "/",
        detached: true,
        stdio: ["ignore", output, output],
      });
    },
    answers: async () => {
      const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
      client.on("error", () => {});
      try {
        await client.connect();
        await client.query("SELECT 1");
      } finally {
        await client.end().catch(() => {});
      }
    },
  });
}

/** A Redis on a free port that forgets all when it ends. */
export async function startOwnRedis(folder: string, ...options: string[]): Promise<OwnServer> {
  await mkdir(folder, { recursive: true });
  const port = await freePort("127.0.0.1");
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", ...options];
  const url = `redis://127.0.0.1:${port}`;
  return ownServer({
    url,
    port,
    start: () => spawn("redis-server", args, { detached: true, stdio: "ignore" }),
    answers: async () => {
      const client = new Redis(url, { retryStrategy: () => null, lazyConnect: true, connectTimeout: 2_000 });
      client.on("error", () => {});
      try {
        await client.connect();
        await client.ping();
      } finally {
        client.disconnect();
      }
    },
  });
}

async function ownServer(options: {
  url: string;
  port: number;
  start(): ChildProcess;
  answers(): Promise<void>;
}): Promise<OwnServer> {
  const { url, port, start, answers } = options;
  let child: ChildProcess;
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const signal = (name: NodeJS.Signals) => {
    // The group: Postgres is a process for each connection.
    if (!hasEnded()) process.kill(-child.pid!, name);
  };

  async function restart(): Promise<void> {
    child = start();
    const deadlineMs = performance.now() + readyWithinMs;
    for (;;) {
      try {
        return await answers();
      } catch (error) {
        if (hasEnded() || performance.now() > deadlineMs) throw error;
        await sleep(50);
      }
    }
  }

  await restart();
  return {
    url,
    port,
    get pid() {
      return child.pid!;
    },
    restart,
    halt: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    async kill() {
      if (hasEnded()) return;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      signal("SIGKILL");
      await gone;
    },
  };
}
