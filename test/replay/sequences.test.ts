import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { replayWork } from "../../src/replay/replay-work.js";
import { wholeTime } from "../store/support.js";
import { answer, capture, openReplayWorld, type ReplayWorld, startCandidate } from "./support.js";

let world: ReplayWorld;
beforeAll(async () => {
  world = await openReplayWorld();
});
afterAll(() => world.close());

/** Captures for 0, 1, 2 … in this order: a letter is the sequence, `.` is none; each in the order of its places. */
function captures(word: string, missing: readonly number[] = []) {
  const keys = new Map<string, { key: string; steps: number }>();
  const all = [...word].map((letter, x) => {
    if (letter === ".") return capture(x);
    const sequence = keys.get(letter) ?? { key: randomUUID(), steps: 0 };
    keys.set(letter, sequence);
    return capture(x, { sequencePlace: { key: sequence.key, position: sequence.steps++ } });
  });
  return all.filter((_, x) => !missing.includes(x));
}

test.each<[string, string, number[], number[], number[], number[]]>([
  ["in order, beside others", "ab.aab", [], [], [0, 1, 2, 3, 4, 5], []],
  ["a failed step breaks off its own sequence only", "ab.aab", [], [3], [0, 1, 2, 3, 5], [4]],
  ["a failed first step breaks off all", "aaa.", [], [0], [0, 3], [1, 2]],
  ["a gap breaks off what comes after it", "aaaa.", [1], [], [0, 4], [2, 3]],
  ["a start that is missing breaks off all", "aaa.", [0], [], [3], [1, 2]],
])("%s: %s without %o, failing at %o", async (_, word, missing, failing, asked, broken) => {
  const candidate = await startCandidate(({ x }, response) => {
    if (failing.includes(x)) response.writeHead(500).end("no");
    else response.end(answer(x));
  });
  const { deployment, candidates } = await world.addDeployment(candidate.url);
  const all = captures(word, missing);
  const { workId } = await world.addSegment(deployment.id, all);
  await replayWork(world.worker(), workId, new AbortController().signal);
  await candidate.close();
  expect(candidate.received.map(({ x }) => x)).toEqual(asked);
  const summary = await world.store.rollups.summary(candidates[0]!.liveRunId, wholeTime);
  const dispositions = summary.get("dispositions")!.counts;
  expect(dispositions.get("not_replayed:sequence_broken") ?? 0).toBe(broken.length);
  expect(dispositions.get("candidate_error:http_5xx") ?? 0).toBe(failing.length);
  expect(dispositions.get("compared")).toBe(asked.length - failing.length);
});
