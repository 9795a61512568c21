import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gateJunit } from "../../src/gate/junit.js";
import type { GateReport } from "../../src/gate/report.js";
import { counts, report, sample } from "../gate/report-fixture.js";
import { requirePython, runPython } from "./python.js";

const python = requirePython("junitparser");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "understudy-junit-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Suite {
  name: string;
  tests: number;
  failures: number;
  errors: number;
  properties: Record<string, string>;
  cases: { name: string; outcome: "passed" | "failure" | "error" }[];
}

const tenth = sample({ counts: counts({ matches: 900, mismatches: 100 }) });
const cases: [string, GateReport, { failures: number; errors: number; outcome: string }][] = [
  ["pass", report({ maxDiffRate: 0.2 }, tenth), { failures: 0, errors: 0, outcome: "passed" }],
  ["fail", report({ maxDiffRate: 0.01 }, tenth), { failures: 1, errors: 0, outcome: "failure" }],
  ["inconclusive", report({ maxDiffRate: 0.1 }, tenth), { failures: 0, errors: 1, outcome: "error" }],
  [
    "inconclusive",
    report({ maxDiffRate: 0.2, minSamples: 5_000 }, tenth, { candidate: `<b>&"'\u0007 ]]> 𝄞` }),
    { failures: 0, errors: 1, outcome: "passed" },
  ],
];

test.runIf(python)("junitparser reads each verdict as what it is", async () => {
  const files = await Promise.all(
    cases.map(async ([, given], i) => {
      const file = join(folder, `${i}.xml`);
      await writeFile(file, gateJunit(given));
      return file;
    }),
  );
  const read = JSON.parse(
    await runPython([join(import.meta.dirname, "junit_report.py"), ...files]),
  ) as Suite[][];
  for (const [i, [verdict, given, { failures, errors, outcome }]] of cases.entries()) {
    expect(read[i]).toHaveLength(1);
    const suite = read[i]![0]!;
    expect(suite).toMatchObject({ tests: 4, failures, errors, properties: { verdict } });
    expect(suite.cases).toHaveLength(4);
    expect(suite.cases[0]!.outcome).toBe(outcome);
    expect(suite.cases.filter((one) => one.outcome === "error")).toHaveLength(errors);
    if (given.candidate === "int8") expect(suite.properties.summary).toBe(given.summary);
  }
});
