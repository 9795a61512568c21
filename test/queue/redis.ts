import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";

/** Whether a `redis-server` is on the PATH. */
export function redisServerThere(): boolean {
  try {
    execFileSync("redis-server", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A Redis of the test's own: on a free port, with its data in a temporary folder. */
export interface TestRedis {
  url: string;
  process: ChildProcess;
  client: Redis;
  stop(): Promise<void>;
  /** On the same port, after {@link stop} of the process alone. */
  restart(): Promise<void>;
  kill(): Promise<void>;
}

export async function startTestRedis(...options: string[]): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), "understudy-redis-"));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const start = async () => {
    const child = spawn(
      "redis-server",
      ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", ...options],
      { stdio: "ignore" },
    );
    const client = new Redis(url, { retryStrategy: () => 50 });
    client.on("error", () => {});
    await client.ping();
    return { child, client };
  };
  let { child, client } = await start();
  const kill = async () => {
    client.disconnect();
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  };
  return {
    url,
    get process() {
      return child;
    },
    get client() {
      return client;
    },
    kill,
    restart: async () => {
      ({ child, client } = await start());
    },
    stop: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
