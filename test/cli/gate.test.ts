import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gate as gateSchema } from "../../src/control/api.js";
import { cliMain } from "../../src/paths.js";
import { openControl, type TestControl } from "../control/support.js";
import { addGated, addJudged, endings, mixed } from "../gate/support.js";

let control: TestControl;
let folder: string;
beforeAll(async () => {
  control = await openControl();
  folder = await mkdtemp(join(tmpdir(), "understudy-gate-"));
});
afterAll(async () => {
  await control.close();
  await rm(folder, { recursive: true, force: true });
});

function understudy(
  args: string[],
  controlUrl = control.origin,
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, UNDERSTUDY_CONTROL_URL: controlUrl };
    execFile(process.execPath, [cliMain, ...args], { cwd: folder, env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

const gate = (name: string, ...args: string[]) =>
  understudy(["gate", name, "--candidate", "int8", "--min-samples", "300", ...args]);

describe("exit codes", () => {
  let name: string;
  beforeAll(async () => {
    ({ name } = await addGated(control, mixed(1_000, 10, endings.mismatch)));
  });

  test.each<[string[], number, RegExp]>([
    [["--max-diff-rate", "20%"], 0, /^PASS {2}.*\n.*int8 keeps diff rate ≤ 20\.00 %\./],
    [["--max-diff-rate", "1%"], 1, /^FAIL .*\n.*breaks diff rate ≤ 1\.00 % \(it is 10\.00 %\)/],
    [["--max-diff-rate", "10%"], 3, /^INCONCLUSIVE .*\n.*too near the limit/],
    [["--max-diff-rate", "11%"], 3, /some [\d,]+ more requests for a pass at this rate/],
    [["--max-diff-rate", "20%", "--max-flip-rate", "1%", "--max-error-rate", "2%"], 1, /decision flip rate/],
    [["--max-diff-rate", "20%", "--min-samples", "1001"], 3, /1 more samples are wanted/],
    [["--max-diff-rate", "1%", "--min-samples", "1001"], 1, /FAIL/],
    [[], 3, /no limit was given/],
    [["--max-p99-regression", "10%"], 3, /no control/],
    [
      ["--max-diff-rate", "20%", "--max-p99-regression", "10%", "--accept-inline-primary-latency"],
      1,
      /held against the primary's own/,
    ],
  ])("%j: %i", async (args, code, said) => {
    const ended = await gate(name, ...args);
    expect([ended.code, ended.stderr]).toEqual([code, ""]);
    expect(ended.stdout).toMatch(said);
  });

  test("--json prints the gate alone; the summary shows the verdict of the newest", async () => {
    const { code, stdout } = await gate(name, "--max-diff-rate", "20%", "--json", "--author", "ci");
    const found = gateSchema.parse(JSON.parse(stdout));
    expect(code).toBe(0);
    expect(found).toMatchObject({ verdict: "pass", author: "ci", state: "done" });
    expect(found.report).toMatchObject({
      counts: { captured: 1_000, matches: 900, mismatches: 100, flips: 100 },
      coverage: 1,
      ledger: { balanced: true, captured: 1_000 },
    });
    const { body } = await control.call("GET", `/deployments/${name}/candidates/int8/summary`);
    expect(body.verdict).toBe("pass");
    await gate(name, "--max-diff-rate", "1%");
    const later = await control.call("GET", `/deployments/${name}/candidates/int8/summary`);
    expect(later.body.verdict).toBe("fail");
  });

  test.each<[string[], RegExp]>([
    [["gate", "NAME", "--candidate", "x", "--max-diff-rate", "1%"], /no candidate named "x"/],
    [["gate", "none", "--candidate", "int8", "--max-diff-rate", "1%"], /no deployment named "none"/],
    [["gate", "NAME", "--max-diff-rate", "1%"], /required option '--candidate/],
    [["gate", "NAME", "--candidate", "int8", "--max-diff-rate", "101%"], /must be a fraction from 0 to 1/],
    [["gate", "NAME", "--candidate", "int8", "--max-diff-rate", "-1"], /must be a fraction from 0 to 1/],
    [
      ["gate", "NAME", "--candidate", "int8", "--max-p99-regression", "-1%"],
      /must be a fraction of 0 or more/,
    ],
    [["gate", "NAME", "--candidate", "int8", "--min-samples", "0"], /whole number of at least 1/],
    [["gate", "NAME", "--candidate", "int8", "--alpha", "0"], /alpha: must lie above 0/],
    [["gate", "NAME", "--candidate", "int8", "--alpha", "90%"], /alpha: must be at most 0\.5/],
    [["gate", "NAME", "--candidate", "int8", "--since", "yesterday"], /a number and a unit: 30s, 15m/],
    [["gate", "NAME", "--candidate", "int8", "--max-everything", "1%"], /unknown option/],
    [
      ["gate", "NAME", "--candidate", "int8", "--max-diff-rate", "20%", "--since", "1s"],
      /does not answer|No capture matches/,
    ],
    [["gate"], /missing required argument|required option/],
  ])("%j cannot run: 2, with its own message", async (args, said) => {
    const { code, stdout, stderr } = await understudy(args.map((word) => (word === "NAME" ? name : word)));
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(said);
  });
});

test("no data: inconclusive, never a pass", async () => {
  const { name } = await addGated(control, []);
  const { code, stdout } = await gate(name, "--max-diff-rate", "100%", "--max-error-rate", "100%");
  expect(code).toBe(3);
  expect(stdout).toMatch(/there are no samples; nothing was captured/);
});

test("the control plane cannot be reached: 2", async () => {
  const args = ["gate", "digits", "--candidate", "int8", "--max-diff-rate", "1%"];
  const { code, stderr } = await understudy(args, "http://127.0.0.1:9");
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining("No control plane answers at http://127.0.0.1:9"),
  ]);
});

test("a candidate that was down from the start: 2; one that fails every request: 1", async () => {
  const down = await addGated(control, mixed(400, 1, endings.down));
  const ended = await gate(down.name, "--max-diff-rate", "20%", "--max-error-rate", "20%");
  expect([ended.code, ended.stdout]).toEqual([2, ""]);
  expect(ended.stderr).toMatch(/int8 has not answered one of 400 requests: 400 connections failed/);
  // As workers leave it: they put its works off, and write nothing.
  const away = await addGated(control, []);
  await addJudged(control, away.deployment.id, mixed(400, 1, {}), { judge: false });
  const { id: candidateId } = away.candidate;
  const soon = new Date(Date.now() + 60_000);
  await control.prisma.breaker.create({
    data: { candidateId, worker: "w", openedAt: new Date(), retryAt: soon, reason: "connect refused" },
  });
  expect(await gate(away.name, "--max-diff-rate", "20%")).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining("has not answered one of 400 requests: connect refused"),
  });
  const failing = await addGated(control, mixed(400, 1, endings.error));
  expect((await gate(failing.name, "--max-error-rate", "20%")).code).toBe(1);
});

test("partial data: what waits for over a minute is missing coverage, and no pass", async () => {
  const { name, deployment } = await addGated(control, mixed(1_000, 100, endings.mismatch));
  await addJudged(control, deployment.id, mixed(500, 1, {}), { judge: false });
  const { code, stdout } = await gate(name, "--max-diff-rate", "20%");
  expect(code).toBe(3);
  expect(stdout).toMatch(/only 66\.67 % of what was captured is finished; 500 have waited for over a minute/);
});

test("requests that took more than one attempt are noted", async () => {
  const { name } = await addGated(control, mixed(1_000, 4, { attempts: 3 }));
  const { code, stdout } = await gate(name, "--max-error-rate", "20%");
  expect([code, stdout]).toEqual([
    0,
    expect.stringContaining("note: 250 requests took more than one attempt"),
  ]);
});

test("an unbalanced ledger: no pass, however good the candidate", async () => {
  const { name, deployment } = await addGated(control, mixed(1_000, 100, endings.mismatch));
  await control.prisma.ledgerCount.updateMany({
    where: { deploymentId: deployment.id },
    data: { received: { increment: 1 } },
  });
  const { code, stdout } = await gate(name, "--max-diff-rate", "20%");
  expect([code, stdout]).toEqual([3, expect.stringContaining("the ledger does not balance")]);
});

test("comparisons enter in the order of capture: those behind an open work are not judged", async () => {
  const { name, deployment } = await addGated(control, mixed(1_000, 100, endings.mismatch));
  await addJudged(control, deployment.id, mixed(10, 1, {}), { judge: false, agoMs: 30_000 });
  await addJudged(control, deployment.id, mixed(400, 1, endings.mismatch), { agoMs: 20_000 });
  const { code, stdout } = await gate(name, "--max-diff-rate", "20%");
  expect(code).toBe(0);
  expect(stdout).toMatch(/410 captures behind the watermark were not finished in their order/);
});
