import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signatureOf } from "../../src/compare/signature.js";
import type { OutputComparison } from "../../src/compare/types.js";
import type { Signature } from "../../src/control/api.js";
import { formatComparisonId } from "../../src/ids.js";
import type { CaptureRow } from "../../src/store/types.js";
import {
  addShadow,
  captureRow,
  endpoint,
  leaseSegment,
  newCandidate,
  outcomeRow,
  outputComparison,
} from "../store/support.js";
import { openControl, type TestControl } from "./support.js";

let control: TestControl;
beforeAll(async () => {
  control = await openControl();
});
afterAll(() => control.close());

const large = outputComparison({ result: "mismatch", kind: "value", mismatches: 4, maxAbs: 0.25 });
const larger = { ...large, maxAbs: 0.99 };
const small = { ...large, maxAbs: 0.025 };
const flipped = { ...large, decision: { from: "3", to: "5", flip: true } };
const gone = outputComparison({ result: "mismatch", kind: "missing_output", maxAbs: null, decision: null });
const [largeId, smallId, flippedId, goneId] = [large, small, flipped, gone].map((output) =>
  signatureOf(output.kind!, output),
) as [string, string, string, string];

/** A deployment with one candidate, and what happens to it. */
async function openShadow() {
  const { deployment, candidate } = await addShadow(control);
  const base = `/deployments/${deployment.name}/candidates/${candidate.name}`;
  let revisions = 0;

  /** Commits comparisons: of a mismatch its leading output, null for a match. */
  async function compare(outputs: (OutputComparison | null)[], over: Partial<CaptureRow> = {}) {
    const nowMs = Date.now();
    const captures = outputs.map((_, i) => captureRow(i, { receivedAtMs: nowMs + i, ...over }));
    const { work } = await leaseSegment(control, deployment.id, captures);
    const rows = captures.map((each, i) => {
      const output = outputs[i];
      if (!output) return outcomeRow(each);
      const { kind, maxAbs, maxRel } = output;
      const numbers = { kind, signature: signatureOf(kind!, output), maxAbs, maxRel };
      const flip = output.decision?.flip ?? null;
      return outcomeRow(each, { ...numbers, flip, result: "mismatch", outputs: [output] });
    });
    const commit = { workId: work.id, lease: work.lease, judgedAtMs: nowMs, rows };
    // Delivered twice, at the same time and later.
    const sent = () => control.store.outcomes.commitWork(commit);
    await Promise.all([sent(), sent()]);
    await sent();
    return { runId: work.runId, captures };
  }

  const list = async (query = ""): Promise<Signature[]> =>
    (await control.call("GET", `${base}/signatures${query}`)).body.items;

  return {
    base,
    candidate,
    compare,
    list,
    /** Registers the candidate at another address: a new live run. */
    revise: () =>
      control.store.registry.addCandidate(
        deployment.name,
        newCandidate({ endpoint: endpoint({ version: String(++revisions) }) }),
      ),
    /** States by id, of the newest live run. */
    states: async (): Promise<Record<string, string>> =>
      Object.fromEntries((await list()).map(({ id, state }) => [id, state])),
    say: (id: string, body: unknown) => control.call("PATCH", `${base}/signatures/${id}`, { body }),
  };
}

const times = <T>(n: number, value: T): T[] => Array.from({ length: n }, () => value);

describe("groups", () => {
  test("alike in output, kind, magnitude, flip and shape; the most frequent first", async () => {
    const { compare, list } = await openShadow();
    const one = await compare([large, small, null, larger, gone, flipped, flipped, larger]);
    const [first, second, third, fourth, ...rest] = (await list()) as [
      Signature,
      Signature,
      Signature,
      Signature,
    ];
    expect(rest).toEqual([]);
    expect(first).toEqual({
      id: largeId,
      output: "logits",
      kind: "value",
      magnitude: 0.1,
      flip: false,
      shape: [1, 10],
      count: 3,
      firstSeen: one.captures[0]!.receivedAtMs,
      lastSeen: one.captures[7]!.receivedAtMs,
      representative: formatComparisonId({ captureId: one.captures[0]!.id, runId: one.runId }),
      state: "new",
      acceptedUntil: null,
      note: null,
      by: null,
      updatedAt: null,
    });
    expect(second).toMatchObject({ id: flippedId, count: 2, flip: true, magnitude: 0.1 });
    expect([third, fourth].map(({ id }) => id).sort()).toEqual([goneId, smallId].sort());
    expect([third, fourth].find(({ id }) => id === goneId)).toMatchObject({
      kind: "missing_output",
      magnitude: null,
      flip: null,
      count: 1,
    });
    // The representative is there, and the filter shows as many as are counted.
    expect((await control.call("GET", `/comparisons/${first.representative}`)).body.signature).toBe(largeId);
  });

  test("stay the same while they grow, whether or not rollups are folded", async () => {
    const { base, compare, list } = await openShadow();
    const one = await compare([large, null]);
    const [before] = await list();
    await control.store.rollups.compact();
    const two = await compare([null, larger, large]);
    const [after] = await list();
    expect(after).toEqual({ ...before, count: 3, lastSeen: two.captures[2]!.receivedAtMs });
    expect(after!.firstSeen).toBe(one.captures[0]!.receivedAtMs);
    const { body } = await control.call("GET", `${base}/comparisons?signature=${after!.id}`);
    expect(body.items).toHaveLength(3);
  });

  test("are made known once, by commits that meet them at the same time", async () => {
    const { compare, list } = await openShadow();
    const orders = [
      [large, small, gone, flipped],
      [flipped, gone, small, large],
      [gone, large, flipped, small],
    ];
    await Promise.all(orders.map((outputs) => compare(outputs)));
    const ids = [largeId, smallId, goneId, flippedId].sort();
    expect((await list()).map(({ id, count }) => [id, count])).toEqual(ids.map((id) => [id, 3]));
  });

  test("of an answer as a whole have no output", async () => {
    const { compare, list, candidate } = await openShadow();
    const unreadable = outputComparison({ result: "mismatch", kind: "undecodable", maxAbs: null });
    await compare([unreadable]);
    expect(await list(`?run=${candidate.liveRunId}`)).toMatchObject([
      { kind: "undecodable", output: null, magnitude: null, flip: null, shape: null },
    ]);
  });

  test("page by page", async () => {
    const { base, compare } = await openShadow();
    await compare([large, small, gone, flipped, flipped, null]);
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? "" : `&cursor=${cursor}`;
      const { body } = await control.call("GET", `${base}/signatures?limit=2${query}`);
      ids.push(...body.items.map(({ id }: Signature) => id));
      cursor = body.nextCursor;
    } while (cursor !== null);
    expect(ids[0]).toBe(flippedId);
    expect([...ids].sort()).toEqual([largeId, smallId, goneId, flippedId].sort());
  });

  test("are none where nothing differs", async () => {
    const { compare, list } = await openShadow();
    await compare([null]);
    expect(await list()).toEqual([]);
  });
});

describe("states", () => {
  test("new until a person says otherwise", async () => {
    const { compare, list, say } = await openShadow();
    await compare([large, small]);
    const answer = await say(largeId, { state: "known", note: "rounding", by: "ada" });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ id: largeId, count: 1, state: "known", note: "rounding", by: "ada" });
    expect(answer.body.updatedAt).toBeGreaterThan(0);
    expect((await list()).find(({ id }) => id === smallId)!.state).toBe("new");
    expect((await say(largeId, { state: "new" })).body).toMatchObject({ state: "new", note: null });
  });

  test("accepted until a date lapses to known", async () => {
    const { compare, states, say } = await openShadow();
    await compare([large, small]);
    await say(largeId, { state: "accepted", until: Date.now() + 1_500 });
    await say(smallId, { state: "accepted" });
    expect(await states()).toEqual({ [largeId]: "accepted", [smallId]: "accepted" });
    await expect.poll(states, { timeout: 10_000 }).toEqual({ [largeId]: "known", [smallId]: "accepted" });
  });

  test("fixed once a run of as many samples lacks it; regressed when it is back", async () => {
    const shadow = await openShadow();
    const { compare, revise, states, say, list } = shadow;
    await compare([large, small, flipped, ...times(5, null)]);
    await say(largeId, { state: "known" });
    await say(smallId, { state: "accepted", until: Date.now() + 86_400_000 });
    await revise();
    await compare(times(7, null));
    // One sample short. Nobody has looked at the third: it is not said to be fixed.
    expect(await states()).toEqual({});
    await compare([null]);
    expect(await states()).toEqual({ [largeId]: "fixed", [smallId]: "fixed" });
    const [fixed] = await list();
    expect(fixed).toMatchObject({ count: 0, representative: expect.any(String) });
    expect((await control.call("GET", `/comparisons/${fixed!.representative}`)).status).toBe(200);

    await revise();
    await compare([large, null]);
    expect((await states())[largeId]).toBe("regressed");
    expect((await states())[smallId]).toBe("fixed");
    // Once a person has looked at it again it is what they say.
    await say(largeId, { state: "known" });
    await compare([large]);
    expect((await states())[largeId]).toBe("known");
  });

  test("what a person called fixed has regressed when it is seen again", async () => {
    const { compare, states, say, list } = await openShadow();
    await compare([large, null]);
    await expect.poll(async () => Date.now() > (await list())[0]!.lastSeen!).toBe(true);
    expect((await say(largeId, { state: "fixed" })).body.state).toBe("fixed");
    expect(await states()).toEqual({ [largeId]: "fixed" });
    await compare([large], { receivedAtMs: Date.now() + 1_000 });
    expect(await states()).toEqual({ [largeId]: "regressed" });
  });

  test("an older run shows what it was then", async () => {
    const { compare, revise, list, say, candidate } = await openShadow();
    await compare([large, null]);
    await say(largeId, { state: "known" });
    await revise();
    await compare([null, null]);
    expect(await list(`?run=${candidate.liveRunId}`)).toMatchObject([
      { id: largeId, count: 1, state: "known" },
    ]);
  });
});

describe("what is refused", () => {
  test.each<[string, unknown, string]>([
    ["a state that is none", { state: "fine" }, "state"],
    ["a state that is only found", { state: "regressed" }, "state"],
    ["an end of what has none", { state: "known", until: 4_000_000_000_000 }, "until"],
    ["an end in the past", { state: "accepted", until: 1_000 }, "until"],
    ["an unknown field", { state: "known", colour: "red" }, ""],
    ["nothing", {}, "state"],
  ])("%s", async (_, body, path) => {
    const { compare, say } = await openShadow();
    await compare([large]);
    const answer = await say(largeId, body);
    expect(answer.status).toBe(400);
    expect(answer.body.errors.map((fault: { path: string }) => fault.path)).toContain(path);
  });

  test("a signature that there is not, and a run of another candidate", async () => {
    const one = await openShadow();
    const other = await openShadow();
    await other.compare([large]);
    expect((await one.say(largeId, { state: "known" })).status).toBe(404);
    const path = `${one.base}/signatures?run=${other.candidate.liveRunId}`;
    expect((await control.call("GET", path)).status).toBe(404);
  });
});
