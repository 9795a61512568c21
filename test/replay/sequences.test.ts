import { randomUUID } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Capture } from "../../src/capture/capture.js";
import { decodeInferRequest } from "../../src/protocol/infer.js";
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

/** A step of a sequence as clients send it, in one of the forms that the protocol has. */
type Form = "json" | "text id" | "binary" | "gzip";
function stepBody(form: Form, x: number, flags: object): Pick<Capture, "requestBody" | "requestHeaders"> {
  const parameters = { sequence_id: form === "text id" ? "client's" : 7, ...flags };
  const json = { parameters, inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [x] }] };
  if (form === "gzip") {
    return { requestBody: gzipSync(JSON.stringify(json)), requestHeaders: { "content-encoding": "gzip" } };
  }
  if (form !== "binary") return { requestBody: Buffer.from(JSON.stringify(json)), requestHeaders: {} };
  const tail = Buffer.from(Float32Array.of(x).buffer);
  const input = { name: "x", datatype: "FP32", shape: [1, 1], parameters: { binary_data_size: tail.length } };
  const head = Buffer.from(JSON.stringify({ parameters, inputs: [input] }));
  return {
    requestBody: Buffer.concat([head, tail]),
    requestHeaders: { "inference-header-content-length": String(head.length) },
  };
}

/** Adds up what it is sent under one id, as Triton's sequence batcher has models do; `ids` are those it was sent. */
async function startAdder(ready: () => Promise<void>) {
  const sums = new Map<string, number>();
  const ids = new Set<unknown>();
  const server = await startCandidate(async ({ body, headers }, response) => {
    const coding = headers["content-encoding"];
    const length = headers["inference-header-content-length"];
    const request = decodeInferRequest(
      coding === undefined ? body : gunzipSync(body),
      length === undefined ? null : Number(length),
    );
    const { sequence_id, sequence_start, sequence_end } = request.parameters;
    ids.add(sequence_id);
    const id = String(sequence_id);
    if (sequence_start === true) sums.set(id, 0);
    const sum = sums.get(id);
    if (sum === undefined) return void response.writeHead(400).end('{"error":"no such sequence"}');
    const [input] = request.inputs;
    const now = sum + Buffer.from(input!.data).readFloatLE();
    if (sequence_end === true) sums.delete(id);
    else sums.set(id, now);
    await ready();
    response.end(answer(now));
  });
  return { ...server, ids };
}

test.each<Form>(["json", "text id", "binary", "gzip"])(
  "sequences of one client id meet neither each other, nor those of another run, nor production: %s",
  async (form) => {
    // Nobody is answered before all three have begun: so each step would find the sum of another's.
    let begun = 0;
    let go = () => {};
    const allBegan = new Promise<void>((resolve) => {
      go = resolve;
    });
    const adder = await startAdder(async () => {
      begun += 1;
      if (begun === 4) go();
      await allBegan;
    });
    const { deployment, candidates } = await world.addDeployment(adder.url, adder.url);
    const sequenceOf = (values: number[]) => {
      const key = randomUUID();
      let sum = 0;
      return values.map((x, position) => {
        sum += x;
        const flags = { sequence_start: position === 0, sequence_end: position === values.length - 1 };
        const over = { ...stepBody(form, x, flags), responseBody: Buffer.from(answer(sum)) };
        return capture(x, { ...over, sequencePlace: { key, position } });
      });
    };
    const one = await world.addSegment(deployment.id, sequenceOf([1, 2, 4]));
    const other = await world.addSegment(deployment.id, sequenceOf([8, 16, 32]));
    const production = fetch(`${adder.url}/v2/models/m/infer`, {
      method: "POST",
      body: new Uint8Array(stepBody("json", 64, { sequence_start: true }).requestBody),
    });
    const works = [...one.workIds, other.workIds[0]!];
    await Promise.all(works.map((id) => replayWork(world.worker(), id, new AbortController().signal)));
    expect(await (await production).text()).toBe(answer(64));
    await adder.close();

    for (const id of works) {
      expect((await world.outcomes(id)).map(({ result }) => result)).toEqual(["match", "match", "match"]);
    }
    expect(candidates).toHaveLength(2);
    const ours = [...adder.ids].filter((id) => id !== 7);
    expect(ours).toHaveLength(3);
    for (const id of ours) {
      if (form === "text id") expect(id).toMatch(/^understudy-[0-9a-f]{32}$/);
      else expect(Number.isSafeInteger(id) && Number(id) >= 2 ** 52).toBe(true);
    }
  },
);
