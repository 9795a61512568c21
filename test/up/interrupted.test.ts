import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cliMain } from "../../src/paths.js";
import { eventually } from "../support/product.js";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "understudy-interrupted-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Processes whose environment or command line names the folder: every part of the product gets one or the other. */
function left(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
        return `${command}${environment}`.includes(folder) ? [`${pid} ${command}`] : [];
      } catch {
        return []; // It ended between the listing and the reading.
      }
    });
}

function start(env: NodeJS.ProcessEnv = {}, args: string[] = ["--demo"]) {
  const child = spawn(process.execPath, [cliMain, "up", ...args], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      // Handed to every process, to those of model files too: marks them as of this test.
      TMPDIR: folder,
      UNDERSTUDY_DATA_DIR: join(folder, "data"),
      UNDERSTUDY_GATEWAY_PORT: "0",
      UNDERSTUDY_CONTROL_PORT: "0",
      UNDERSTUDY_LOG_LEVEL: "warn",
      ...env,
    },
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<{ code: number | null; stderr: string }>((resolve) =>
    child.once("close", (code) => resolve({ code, stderr })),
  );
  return { child, ended };
}

describe("asked to end while it starts", () => {
  test.each([200, 700, 1_200, 2_000, 3_500, 5_000])(
    "SIGINT after %i ms leaves no process behind",
    async (afterMs) => {
      const { child, ended } = start();
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      child.kill("SIGINT");
      const { code, stderr } = await ended;
      // Before its handlers exist Node itself ends it, without a code; once it was ready the end is an orderly one.
      expect([null, 130, 0], stderr).toContain(code);
      expect(stderr).not.toMatch(/not closed by the deadline|unexpected error|\n +at /);
      await eventually(
        async () => left(),
        (processes) => processes.length === 0,
        { withinMs: 10_000 },
      );
    },
    40_000,
  );

  test("SIGKILL leaves no process behind but its Postgres, which the next start takes over", async () => {
    const { child, ended } = start();
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    child.kill("SIGKILL");
    await ended;
    const processes = await eventually(
      async () => left(),
      (found) => found.every((each) => /postgres/.test(each)),
      { withinMs: 15_000 },
    );
    const postmaster = processes.find((each) => each.includes(" -D "));
    if (postmaster) process.kill(Number.parseInt(postmaster, 10), "SIGQUIT");
    await eventually(
      async () => left(),
      (found) => found.length === 0,
      { withinMs: 10_000 },
    );
  }, 50_000);
});

describe("what would keep a part from starting is told before any starts", () => {
  const refused = async (env: NodeJS.ProcessEnv, says: RegExp): Promise<void> => {
    const { code, stderr } = await start(env, []).ended;
    expect(stderr).toMatch(says);
    expect(stderr.match(/^error: /gm)).toHaveLength(1);
    expect(stderr).not.toMatch(/\n +at |embedded Postgres/);
    expect(code).toBe(2);
    expect(left()).toEqual([]);
  };

  test("a port in use", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    await refused({ UNDERSTUDY_CONTROL_PORT: String(port) }, /control plane port 127.0.0.1:\d+ is in use/);
    await refused({ UNDERSTUDY_METRICS_PORT: String(port) }, /gateway's metrics port .* is in use/);
    await new Promise((resolve) => server.close(resolve));
  }, 20_000);

  test.each<[string, () => NodeJS.ProcessEnv, RegExp]>([
    ["an address of another machine", () => ({ UNDERSTUDY_HOST: "192.0.2.1" }), /no such address/],
    ["no Redis", () => ({ REDIS_URL: "redis://127.0.0.1:1" }), /Redis at 127.0.0.1:1 cannot be used/],
    ["a data folder that is a file", () => ({ UNDERSTUDY_DATA_DIR: join(folder, "file") }), /EEXIST/],
    ["a data folder under a file", () => ({ UNDERSTUDY_DATA_DIR: join(folder, "file/data") }), /ENOTDIR/],
    [
      "blobs in a file",
      () => ({ UNDERSTUDY_BLOBS: `file:${join(folder, "file")}` }),
      /blob store .*cannot be/,
    ],
    [
      "blobs in no kind of store",
      () => ({ UNDERSTUDY_BLOBS: "gs://bucket" }),
      /UNDERSTUDY_BLOBS must be file:PATH or s3:/,
    ],
    [
      "blobs in a bucket that cannot be reached",
      () => ({
        UNDERSTUDY_BLOBS: "s3://bucket/prefix",
        AWS_ENDPOINT_URL: "http://127.0.0.1:1",
        AWS_REGION: "us-east-1",
        AWS_ACCESS_KEY_ID: "a",
        AWS_SECRET_ACCESS_KEY: "b",
      }),
      /blob store s3:.*cannot be/,
    ],
  ])(
    "%s",
    async (_, env, says) => {
      writeFileSync(join(folder, "file"), "");
      await refused(env(), says);
    },
    20_000,
  );
});
