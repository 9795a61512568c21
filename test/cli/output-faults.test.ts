import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cliMain } from "../../src/paths.js";

/** A control plane with one deployment, as far as `policy show` and `status` ask. */
const server = createServer((request, response) => {
  const isPolicy = request.url!.endsWith("/policy");
  const policy = { version: 3, body: { outputs: { "*": { rule: "exact" } } }, createdAt: 0 };
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(isPolicy ? policy : { items: [], nextCursor: null }));
});
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  env = { PATH: process.env.PATH, UNDERSTUDY_CONTROL_URL: `http://127.0.0.1:${port}` };
});
afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));

const closed = "closed pipe";

/** Runs the CLI with its output going to open files, or to pipes whose reader is gone before anything is written. */
async function run(args: readonly string[], stdout: number | typeof closed, stderr: "pipe" | typeof closed) {
  const child = spawn(process.execPath, [cliMain, ...args], {
    env,
    stdio: ["ignore", stdout === closed ? "pipe" : stdout, "pipe"],
  });
  child.stdout?.destroy();
  if (stderr === closed) child.stderr!.destroy();
  const said = stderr === closed ? [] : child.stderr!.toArray();
  const [[code, signal], chunks] = await Promise.all([once(child, "exit"), said]);
  return { code, signal, stderr: Buffer.concat(chunks).toString() };
}

test.each<[args: string[], code: number, stderr: string]>([
  [["--help"], 0, ""],
  [["policy", "show", "digits"], 0, "version 3 of digits\n"],
  [["status"], 0, ""],
  [["status", "--json"], 0, ""],
])("%j: a reader that has seen enough changes nothing", async (args, code, stderr) => {
  expect(await run(args, closed, "pipe")).toEqual({ code, signal: null, stderr });
});

test.each<[args: string[], code: number]>([
  [["policy", "show", "digits"], 0],
  [["policy", "set", "digits", "none.json"], 2],
  [["no-such-command"], 2],
])("%j: nor does one of stderr", async (args, code) => {
  expect(await run(args, closed, closed)).toEqual({ code, signal: null, stderr: "" });
});

test.runIf(existsSync("/dev/full"))("output that got lost is told, and is no success", async () => {
  const full = openSync("/dev/full", "w");
  const { code, stderr } = await run(["status"], full, "pipe");
  closeSync(full);
  expect([code, stderr]).toEqual([
    2,
    expect.stringMatching(/^error: the output cannot be written: ENOSPC.*\n$/),
  ]);
});
