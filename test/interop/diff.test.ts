import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fastestKernel } from "../../src/compare/fastest-kernel.js";
import { parsePolicy } from "../../src/compare/policy.js";
import { compareFiles } from "../../src/offline/compare-files.js";
import { limits } from "../../src/offline/limits.js";
import { reportOf } from "../../src/offline/report.js";
import { plainJson } from "../../src/protocol/json.js";
import { isNear } from "./near.js";
import { requirePython, runPython } from "./python.js";

const python = requirePython("numpy");

type Metric = "maxAbs" | "maxRel" | "meanAbs" | "rmse";

interface Pair {
  left: string;
  right: string;
  dtype: string;
  rule: "numpy" | "exact";
  rtol: number;
  atol: number;
  elements: number;
  expected: { mismatches: number } & Partial<Record<Metric, number | string | null>>;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "understudy-numpy-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.runIf(python)("files written by NumPy come to the numbers that NumPy gives", async () => {
  const seed = process.env.UNDERSTUDY_TEST_SEED ?? String(Date.now());
  const script = join(import.meta.dirname, "diff_pairs.py");
  const pairs = JSON.parse(await runPython([script, folder, "500", seed])) as Pair[];

  const wrong = [];
  for (const pair of pairs) {
    const found = await compare(pair);
    if (!agrees(found, pair)) wrong.push({ ...pair, found });
  }

  expect(wrong, `seed ${seed}`).toEqual([]);
  // The pairs are worth something only if every kind of verdict is among them.
  expect(pairs.filter(({ expected }) => expected.mismatches > 0).length).toBeGreaterThan(100);
  expect(pairs.filter(({ expected }) => expected.mismatches === 0).length).toBeGreaterThan(50);
  expect(new Set(pairs.map(({ dtype }) => dtype)).size).toBe(14);
});

interface Found {
  result: string;
  elements: number;
  mismatches: number;
  maxAbs: unknown;
  maxRel: unknown;
  meanAbs: unknown;
  rmse: unknown;
}

async function compare({ left, right, rule, rtol, atol }: Pair): Promise<Found> {
  const policy = parsePolicy({ outputs: { "*": rule === "exact" ? { rule } : { rule, rtol, atol } } });
  const files = { left: join(folder, left), right: join(folder, right) };
  const options = { policy, kernel: fastestKernel, limits, nowMs: 0 };
  const comparison = await compareFiles(files.left, files.right, options);
  const report = plainJson(reportOf(comparison, files, policy.outputs["*"]!)) as { outputs: Found[] };
  return report.outputs[0]!;
}

function agrees(found: Found, { elements, expected }: Pair): boolean {
  const { mismatches, maxAbs = null, maxRel = null, meanAbs = null, rmse = null } = expected;
  return (
    found.elements === elements &&
    found.mismatches === mismatches &&
    found.result === (mismatches > 0 ? "mismatch" : "match") &&
    found.maxAbs === maxAbs &&
    found.maxRel === maxRel &&
    isNear(found.meanAbs, meanAbs) &&
    isNear(found.rmse, rmse)
  );
}
