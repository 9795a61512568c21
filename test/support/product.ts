import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cliMain } from "../../src/paths.js";

/** The whole product, started as its user starts it. */
export interface Product {
  readonly gateway: string;
  readonly control: string;
  readonly dataDir: string;
  readonly process: ChildProcess;
  /** All that it wrote to stderr so far. */
  stderr(): string;
  /** GET on the API; throws unless 200. */
  api<T>(path: string): Promise<T>;
  /** Sends SIGINT and waits for the end; returns the exit code. Data stay. */
  stop(): Promise<number | null>;
  /** Stops, if it still runs, and removes the data directory. */
  remove(): Promise<void>;
}

/**
 * Starts `understudy up ARGS…` on free ports and waits for its `ready` line.
 * @param options.dataDir a directory to continue with; default: a new one
 */
export async function startProduct(
  args: string[] = ["--demo"],
  options: { dataDir?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Product> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "understudy-test-")));
  const child = spawn(process.execPath, [cliMain, "up", ...args], {
    env: {
      ...process.env,
      UNDERSTUDY_DATA_DIR: dataDir,
      UNDERSTUDY_GATEWAY_PORT: "0",
      UNDERSTUDY_CONTROL_PORT: "0",
      UNDERSTUDY_LOG_LEVEL: "warn",
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, as in a terminal: a signal to the group must not reach the test runner.
    detached: true,
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const ready = await new Promise<RegExpExecArray>((resolve, reject) => {
    let stdout = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
      const line = /^ready gateway=(\S+) control=(\S+)$/m.exec(stdout);
      if (line) resolve(line);
    });
    void exited.then((code) =>
      reject(new Error(`understudy up ended with ${code} before it was ready:\n${stderr}`)),
    );
  });
  const [, gateway, control] = ready as unknown as [string, string, string];

  const product: Product = {
    gateway,
    control,
    dataDir,
    process: child,
    stderr: () => stderr,
    async api<T>(path: string) {
      const response = await fetch(`${control}/api/v1${path}`);
      if (response.status !== 200)
        throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
      return (await response.json()) as T;
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGINT");
      return exited;
    },
    async remove() {
      await product.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
  return product;
}

/** Asks again every `everyMs` until `wanted` holds; returns that answer. Throws the last answer after `withinMs`. */
export async function eventually<T>(
  ask: () => Promise<T>,
  wanted: (answer: T) => boolean,
  { withinMs = 60_000, everyMs = 250 } = {},
): Promise<T> {
  const deadline = Date.now() + withinMs;
  while (true) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`not so after ${withinMs} ms: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
