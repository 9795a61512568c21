import { describe, expect, test } from "vitest";
import { collectAnswers, isToBeKept, type KeepAnswers, withKeptDetails } from "../../src/answers/keeping.js";
import { createAnswerQuota } from "../../src/answers/quota.js";
import { type Result, results } from "../../src/compare/types.js";
import { newId } from "../../src/ids.js";
import type { Observation } from "../../src/upstream/observation.js";
import { captureRow, outcomeRow, outputComparison } from "../store/support.js";

const answered = (bytes: number): Observation => ({
  ok: true,
  status: 200,
  headers: {},
  body: new Uint8Array(bytes),
  latencyMs: 1,
  attempts: [],
});

test.each<[KeepAnswers, readonly Result[]]>([
  ["all", results],
  ["divergent", ["mismatch", "ignored", "incomparable"]],
  ["none", []],
  [1, results],
  [0, []],
])("keepAnswers %s keeps %j", (keep, kept) => {
  expect(results.filter((result) => isToBeKept(keep, newId(), result))).toEqual(kept);
});

test("a share keeps about that many, and the same ones again", () => {
  const ids = Array.from({ length: 4_000 }, () => newId());
  const chosen = () => ids.filter((id) => isToBeKept(0.25, id, "match"));
  // Six standard deviations of a binomial.
  expect(Math.abs(chosen().length - 1_000)).toBeLessThan(6 * Math.sqrt(4_000 * 0.25 * 0.75));
  expect(chosen()).toEqual(chosen());
});

test("of matches beyond the share the outputs go, of nothing else anything", () => {
  const rows = Array.from({ length: 400 }, (_, i) =>
    outcomeRow(captureRow(i), { result: results[i % results.length]!, outputs: [outputComparison()] }),
  );
  const kept = withKeptDetails(rows, 0.5);
  expect(kept.map((row) => ({ ...row, outputs: [] }))).toEqual(rows.map((row) => ({ ...row, outputs: [] })));
  const without = kept.filter(({ outputs }) => outputs.length === 0);
  expect(new Set(without.map(({ result }) => result))).toEqual(new Set(["match"]));
  // Six standard deviations of a binomial.
  expect(Math.abs(without.length - 50)).toBeLessThan(6 * Math.sqrt(100 * 0.25));
  expect(withKeptDetails(rows, 0.5)).toEqual(kept);
  expect(withKeptDetails(rows, 1)).toEqual(rows);
});

describe("what is held in memory of one work", () => {
  const mib = 1024 ** 2;
  test.each([
    ["a body of 8 MiB is kept", [8 * mib], [0]],
    ["a larger one is not; those after it are", [8 * mib + 1, 10], [1]],
    ["64 MiB in all", [...Array<number>(8).fill(8 * mib), 1, 0], [0, 1, 2, 3, 4, 5, 6, 7, 9]],
  ])("%s", (_, sizes, kept) => {
    const collected = collectAnswers("all");
    for (const [n, size] of sizes.entries()) collected.offer(String(n), answered(size), "match");
    expect(collected.answers.map(({ captureId }) => Number(captureId))).toEqual(kept);
  });

  test("a failure takes no room", () => {
    const collected = collectAnswers("divergent");
    const failure: Observation = { ok: false, failure: "timeout", message: "", latencyMs: 1, attempts: [] };
    collected.offer("a", failure, "incomparable");
    expect(collected.answers).toEqual([{ captureId: "a", observation: failure }]);
  });
});

test("the quota is read now and then, and counted on in between; days and deployments have their own", async () => {
  let nowMs = 0;
  const read: string[] = [];
  const store = {
    keptBytes: async (deploymentId: number, day: string) => {
      read.push(`${deploymentId}/${day}`);
      return deploymentId === 1 ? 90 : 0;
    },
  };
  const quota = createAnswerQuota(store, () => nowMs);
  const take = (deploymentId: number, day: string, bytes: number) =>
    quota.take({ deploymentId, day, bytes, bytesMax: 100 });
  expect(await take(1, "2026-11-20", 11)).toBe(false);
  expect(await take(1, "2026-11-20", 6)).toBe(true);
  expect(await take(1, "2026-11-20", 6)).toBe(false);
  expect(await take(1, "2026-11-20", 4)).toBe(true);
  expect(await take(2, "2026-11-20", 100)).toBe(true);
  expect(await take(1, "2026-11-21", 10)).toBe(true);
  expect(read).toEqual(["1/2026-11-20", "2/2026-11-20", "1/2026-11-21"]);
  nowMs = 30_000;
  expect(await take(1, "2026-11-20", 10)).toBe(true);
  expect(read).toHaveLength(4);
});
