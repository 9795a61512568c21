import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfig } from "../../src/config.js";
import { run as runSchema } from "../../src/control/api.js";
import { startControl } from "../../src/control/service.js";
import { cliMain } from "../../src/paths.js";
import type { Child } from "../../src/process/child.js";
import { replayWork } from "../../src/replay/replay-work.js";
import { createUpstream } from "../../src/upstream/client.js";
import { answer, capture, openReplayWorld, type ReplayWorld, startCandidate } from "../replay/support.js";
import { startWorker } from "../workers/processes.js";

let world: ReplayWorld;
let worker: Child;
let candidate: Awaited<ReturnType<typeof startCandidate>>;
let controlUrl: string;
let closeControl: () => Promise<void>;
let name: string;
let asked: number;

beforeAll(async () => {
  world = await openReplayWorld();
  const config = loadConfig({ UNDERSTUDY_CONTROL_PORT: "0", UNDERSTUDY_BLOBS: `file:${world.folder}` });
  const upstream = createUpstream({ config });
  const { store, blobs } = world;
  const control = await startControl({ config, log: pino({ level: "silent" }), store, blobs, upstream });
  closeControl = () => control.close().then(() => upstream.close());
  controlUrl = String(control.ready.url);

  candidate = await startCandidate(({ x }, response) => response.end(answer(x % 2 === 0 ? x + 0.01 : x)));
  const { deployment } = await world.addDeployment(candidate.url);
  name = deployment.name;
  const xs = [1, 2, 3, 4];
  for (const share of ["all", 0] as const) {
    await store.registry.updateDeployment(name, { keepAnswers: share });
    const { workId } = await world.addSegment(
      deployment.id,
      xs.map((x) => capture(x)),
    );
    await replayWork(world.worker(), workId, new AbortController().signal);
  }
  asked = candidate.received.length;
  for (const [file, text] of Object.entries(files)) await writeFile(join(world.folder, file), text);
  worker = await startWorker(world);
});
afterAll(async () => {
  await worker.stop();
  await candidate.close();
  await closeControl();
  await world.close();
});

const files = {
  "looser.json": '{"outputs":{"*":{"rule":"numpy","atol":0.5,"rtol":0,"decision":{"type":"argmax"}}}}',
  "wrong.json": '{"outputs":{"*":\n  {"rule":"numpy","atol":-1}}}',
  "text.json": "atol: 1",
};

function policy(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, UNDERSTUDY_CONTROL_URL: controlUrl };
    execFile(
      process.execPath,
      [cliMain, "policy", ...args],
      { cwd: world.folder, env },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

test("try: before and after of the stored pairs, by a worker, without one inference", async () => {
  const { code, stdout, stderr } = await policy(
    "try",
    "looser.json",
    "--deployment",
    name,
    "--candidate",
    "c0",
  );
  expect([code, stderr.split("\n").at(-2)]).toEqual([
    0,
    expect.stringContaining("2 of 2 segments judged again"),
  ]);
  expect(stdout).toMatch(/4 of 8 pairs were still stored \(50\.00 %\); all below is about these only/);
  expect(stdout).toMatch(/samples +4 +4\n/);
  expect(stdout).toMatch(/diff rate +50\.00 % +0\.00 %\n/);
  expect(stdout).toMatch(/decision flips +0 +0\n/);
  expect(stdout).toMatch(/y +4 +2 +0\n/);
  expect(stdout).toMatch(/mismatch → match: 2\n/);
  expect(candidate.received.length).toBe(asked);
});

test("try --json prints the run alone", async () => {
  const at = ["--from", "2026-11-20T00:00:00Z", "--to", "2026-11-21"];
  const { code, stdout } = await policy(
    ...["try", "looser.json", "--deployment", name, "--candidate", "c0", "--json", ...at],
  );
  expect(code).toBe(0);
  const run = runSchema.parse(JSON.parse(stdout));
  expect(run).toMatchObject({
    kind: "rejudge",
    works: { pending: 0, done: 2 },
    rejudge: { storedShare: 0.5 },
  });
  expect(candidate.received.length).toBe(asked);
});

test.each<[string[], RegExp]>([
  [
    ["try", "wrong.json", "--deployment", "NAME", "--candidate", "c0"],
    /wrong\.json: The policy is not valid: line 2, column 26: outputs\.\*\.atol: must be 0 or more/,
  ],
  [
    ["try", "text.json", "--deployment", "NAME", "--candidate", "c0"],
    /text\.json: The policy is not valid: line 1, column 1: /,
  ],
  [["try", "none.json", "--deployment", "NAME", "--candidate", "c0"], /cannot be read as a policy: ENOENT/],
  [["try", "looser.json", "--deployment", "NAME", "--candidate", "x"], /no candidate named "x"/],
  [["try", "looser.json", "--deployment", "none", "--candidate", "c0"], /no deployment named "none"/],
  [
    ["try", "looser.json", "--deployment", "NAME", "--candidate", "c0", "--to", "2020-01-01"],
    /No answers are kept/,
  ],
  [["try", "looser.json", "--deployment", "NAME", "--candidate", "c0", "--run", "77777"], /no run 77777/],
  [["try", "looser.json", "--deployment", "NAME"], /required option '--candidate/],
  [["try"], /required option/],
  [["show"], /missing required argument/],
  [["propound"], /unknown command/],
  [[], /Usage: understudy policy/],
])("%j cannot be done: exit 2", async (args, said) => {
  const { code, stdout, stderr } = await policy(...args.map((word) => (word === "NAME" ? name : word)));
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(said);
});

test("show and set: what is in force, and what was only tried", async () => {
  const before = await policy("show", name);
  expect(JSON.parse(before.stdout)).toMatchObject({ outputs: { "*": { rule: "numpy", atol: 1e-6 } } });
  expect(before.stderr).toBe(`version 1 of ${name}\n`);
  const set = await policy("set", name, "looser.json");
  expect(set).toMatchObject({ code: 0, stdout: `${name} is judged by policy version 3\n` });
  const { stdout } = await policy("show", name, "--json");
  expect(JSON.parse(stdout)).toMatchObject({ version: 3, body: { outputs: { "*": { atol: 0.5 } } } });
  const wrong = await policy("set", name, "wrong.json");
  expect([wrong.code, wrong.stderr]).toEqual([
    2,
    expect.stringContaining("wrong.json: The policy is not valid: line 2"),
  ]);
});
