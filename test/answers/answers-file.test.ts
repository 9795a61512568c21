import { expect, test } from "vitest";
import { type Answer, readAnswers, writeAnswers } from "../../src/answers/answers-file.js";
import { newId } from "../../src/ids.js";
import { failureKinds } from "../../src/upstream/observation.js";

const attempts = [
  { startedMs: 0, latencyMs: 1.5, status: 503, failure: "throttled" as const },
  { startedMs: 100, latencyMs: 2.25, status: 200 },
];

const answers: Answer[] = [
  {
    captureId: newId(),
    observation: {
      ok: true,
      status: 200,
      headers: { "inference-header-content-length": "3", "content-encoding": "gzip" },
      body: Buffer.from([0, 1, 2, 255, 254, 0]),
      latencyMs: 2.25,
      attempts,
    },
  },
  {
    captureId: newId(),
    observation: { ok: true, status: 204, headers: {}, body: new Uint8Array(), latencyMs: 0, attempts: [] },
  },
  ...failureKinds.map((failure, n): Answer => {
    const status = n % 2 === 0 ? {} : { status: 500 };
    const message = 'said "no"\n\u2028 ☹';
    return {
      captureId: newId(),
      observation: { ok: false, failure, ...status, message, latencyMs: n, attempts },
    };
  }),
];

test("answers and failures come back as they were", async () => {
  const read = await readAnswers(writeAnswers(answers));
  expect([...read.keys()]).toEqual(answers.map(({ captureId }) => captureId));
  for (const { captureId, observation } of answers) {
    const found = read.get(captureId)!;
    if (!observation.ok || !found.ok) {
      expect(found).toEqual(observation);
      continue;
    }
    expect({ ...found, body: [...found.body] }).toEqual({ ...observation, body: [...observation.body] });
  }
});

test("the same answers give the same bytes", () => {
  expect(writeAnswers(answers)).toEqual(writeAnswers(answers));
});

test("what is no such file is an error", async () => {
  await expect(readAnswers(Buffer.from("PAR1 nothing of the kind"))).rejects.toThrow();
});
