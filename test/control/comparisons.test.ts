import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Capture } from "../../src/capture/capture.js";
import { writeSegment } from "../../src/capture/segment.js";
import { fastestKernel } from "../../src/compare/fastest-kernel.js";
import { compareOutput } from "../../src/compare/output.js";
import { comparisonDetail, comparisonPage, comparisonTensors } from "../../src/control/api.js";
import { formatComparisonId } from "../../src/ids.js";
import { encodeInferRequest, encodeInferResponse } from "../../src/protocol/infer.js";
import type { Datatype, Tensor } from "../../src/tensor/tensor.js";
import {
  addShadow,
  captureRow,
  noonMs,
  outcomeRow,
  outputComparison,
  segmentCommit,
} from "../store/support.js";
import { openControl, type TestControl } from "./support.js";

let control: TestControl;
let path: string;
let ids: string[];
let blobKey: string;

const tensor = (
  name: string,
  datatype: Datatype,
  shape: number[],
  data: Buffer,
): Tensor & { parameters: object } => ({
  name,
  datatype,
  shape,
  data,
  parameters: {},
});
const floats = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);
const text = (value: string) => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
};

const inputs = [
  tensor("image", "FP32", [1, 3], floats(Number.NaN, Number.NEGATIVE_INFINITY, -0)),
  tensor("scalar", "INT64", [], Buffer.from(BigInt64Array.of(-(2n ** 63n)).buffer)),
  tensor("empty", "FP16", [2, 0], Buffer.alloc(0)),
  tensor(
    "word",
    "BYTES",
    [2],
    Buffer.concat([text("<script>alert(1)</script>\u202e"), text("x".repeat(5000))]),
  ),
  tensor("large", "UINT8", [5000], Buffer.alloc(5000, 7)),
];

/** Captures: as JSON in gzip, in binary, and one whose response is not V2. */
function capturesOf(count: number): Capture[] {
  const request = encodeInferRequest({ parameters: {}, inputs, outputs: [] } as never, { binary: true });
  const response = encodeInferResponse(
    {
      modelName: "digits",
      modelVersion: "1",
      parameters: {},
      outputs: [tensor("logits", "FP32", [2], floats(1.5, 2))],
    } as never,
    { binary: () => false },
  );
  return Array.from({ length: count }, (_, row) => {
    const { id, receivedAtMs } = captureRow(row);
    return {
      id,
      sequence: row,
      deploymentId: 1,
      receivedAtMs,
      transport: "http",
      method: "POST",
      path: "/v2/models/digits/infer",
      requestHeaders: {
        "inference-header-content-length": String(request.headerLength),
        "content-encoding": "gzip",
      },
      requestBody: gzipSync(request.body),
      status: 200,
      responseHeaders: {},
      responseBody: row === 1 ? Buffer.from('{"outputs": [') : response.body,
      primaryMs: 1,
      primaryVersion: "1",
      sample: "base",
      rule: "",
      sequencePlace: null,
      tags: {},
      redacted: [],
      subject: null,
    } satisfies Capture;
  });
}

const measured = {
  histogram: {
    equal: 5,
    decades: [
      { decade: -20, pairs: 1 },
      { decade: 2, pairs: 4 },
    ],
  },
  atolToPass: Number.POSITIVE_INFINITY,
  statistic: { name: "mean" as const, abs: Number.POSITIVE_INFINITY, rel: null },
  maxUlps: 2 ** 60,
  decision: { from: "0:3 1:4", to: "0:5 1:5", flip: true, changes: [{ from: "3", to: "5", count: 2 }] },
};
const worst = [{ index: [0, 1], primary: "NaN", candidate: 1.5, absError: Number.NaN }];

/** An output that is the same on both sides, as it is judged. */
const scores = tensor("scores", "FP32", [1, 3], floats(0, 0.5, -1)) as Tensor;
const same = compareOutput(scores, scores, { rule: "numpy", atol: 0, rtol: 0 }, noonMs, fastestKernel);

beforeAll(async () => {
  control = await openControl();
  const { deployment, candidate } = await addShadow(control);
  path = `/deployments/${deployment.name}/candidates/${candidate.name}`;
  const captures = capturesOf(3);
  const rows = captures.map(({ id, receivedAtMs }, row) =>
    captureRow(row, {
      id,
      receivedAtMs,
      tags: { tenant: "=cmd|' /C calc'!A0", row: `a:${row}` },
      redacted: ["header:x-user"],
    }),
  );
  const commit = segmentCommit(deployment.id, rows);
  const file = writeSegment(captures);
  blobKey = commit.segment.blobKey;
  await control.blobs.put(blobKey, file);
  commit.segment.sha256 = createHash("sha256").update(file).digest("hex");
  const { workIds } = await control.store.catalogue.commitSegment(commit);
  const { id: workId, lease } = (await control.store.work.lease(workIds[0]!, "test", 60_000))!;
  const outcomes = [
    outcomeRow(rows[0]!, {
      result: "mismatch",
      kind: "non_finite",
      signature: "logits:non_finite",
      flip: true,
      maxAbs: Number.POSITIVE_INFINITY,
      maxRel: Number.NaN,
      details: { attempts: [{ startedMs: 0, latencyMs: 2, status: 200 }], message: null, parameters: [] },
      outputs: [
        outputComparison({ result: "mismatch", kind: "non_finite", shape: [], cosine: Number.NaN, worst }),
        outputComparison({ output: "measured", result: "mismatch", kind: "value", ...measured }),
        outputComparison({
          output: "<b>",
          kind: null,
          shape: [2, 0],
          elements: 0,
          maxAbs: null,
          decision: null,
        }),
      ],
    }),
    outcomeRow(rows[1]!, { outputs: [same] }),
    outcomeRow(rows[2]!, {
      disposition: "candidate_error",
      reason: "timeout",
      result: "incomparable",
      kind: "timeout",
      candidateMs: null,
      maxAbs: null,
      maxRel: null,
      flip: null,
      outputs: [],
      details: {
        attempts: [{ startedMs: 0, latencyMs: 50, failure: "timeout" }],
        message: "no answer within 50 ms",
      },
    }),
  ];
  await control.store.outcomes.commitWork({ workId, lease, judgedAtMs: noonMs, rows: outcomes });
  ids = captures.map(({ id }) => formatComparisonId({ captureId: id, runId: candidate.liveRunId }));
});
afterAll(() => control.close());

test("the list shows the newest run, newest first; pages follow their cursor", async () => {
  const all = await control.call("GET", `${path}/comparisons`);
  expect(comparisonPage.parse(all.body)).toEqual(all.body);
  expect(all.body.items.map((item: { id: string }) => item.id)).toEqual([...ids].reverse());
  expect(all.body.items[2]).toMatchObject({
    capturedAt: noonMs,
    maxAbs: "Infinity",
    maxRel: "NaN",
    flip: true,
    outputs: ["logits", "measured"],
    flips: [{ output: "measured", from: "0:3 1:4", to: "0:5 1:5" }],
  });
  expect(all.body.items[1].flips).toEqual([]);
  for (const sort of ["", "&sort=capturedAt", "&sort=-maxAbs", "&sort=maxAbs", "&sort=candidateMs"]) {
    const whole = (await control.call("GET", `${path}/comparisons?${sort}`)).body.items;
    const seen: unknown[] = [];
    for (let cursor = ""; ; ) {
      const { body } = await control.call("GET", `${path}/comparisons?limit=1${sort}${cursor}`);
      seen.push(...body.items);
      if (body.nextCursor === null) break;
      expect(body.nextCursor).toMatch(/^[\w-]+$/);
      cursor = `&cursor=${body.nextCursor}`;
    }
    expect(seen).toEqual(whole);
    expect(whole).toHaveLength(/At|^$/.test(sort) ? 3 : 2);
  }
});

test.each([
  ["result=mismatch", [0]],
  ["kind=timeout", [2]],
  ["output=%3Cb%3E", [0]],
  ["signature=logits:non_finite&result=mismatch&kind=non_finite&output=logits", [0]],
  ["tag=row:a:1", [1]],
  ["tag=ROW:a:2&kind=timeout", [2]],
  ["tag=row:a", []],
  ["tag=nobody:a:1", []],
  [`from=${noonMs + 1}&to=${noonMs + 2}`, [1]],
  ["from=2026-11-20T12:00:00.002Z", [2]],
  ["from=2026-11-20T13:00:00.002%2B01:00", [2]],
  ["to=2026-11-20", []],
])("?%s", async (query, expected) => {
  const { body } = await control.call("GET", `${path}/comparisons?${query}`);
  expect(body.items.map((item: { id: string }) => ids.indexOf(item.id))).toEqual(expected);
});

describe("what a query cannot be", () => {
  const cursor = (value: unknown) => `cursor=${Buffer.from(JSON.stringify(value)).toString("base64url")}`;
  const uuid = "019a9f2e-0000-7000-8000-000000000000";
  test.each([
    ["result=maybe", "result"],
    ["kind=odd", "kind"],
    ["limit=501", "limit"],
    ["limit=1e1", "limit"],
    ["from=yesterday", "from"],
    ["from=2026-11-20T12:00:00", "from"],
    ["from=Nov 20 2026", "from"],
    ["from=2026-02-30", "from"],
    [`from=${noonMs}&to=${noonMs}`, "to"],
    ["from=2026-11-21&to=2026-11-20", "to"],
    ["to=99999999999999999", "to"],
    ["sort=output", "sort"],
    ["run=0", "run"],
    ["tag=row", "tag"],
    ["tag=:a", "tag"],
    ["page=2", ""],
    ["cursor=!!", "cursor"],
    [cursor(["-maxAbs", "1", uuid]), "cursor"],
    [cursor(["-capturedAt", "NaN", uuid]), "cursor"],
    [cursor(["-capturedAt", "1", "'; DROP TABLE outcomes"]), "cursor"],
    [cursor({ length: 3 }), "cursor"],
  ])("?%s", async (query, field) => {
    const answer = await control.call("GET", `${path}/comparisons?${query}`);
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    expect(answer.body.errors.map((fault: { path: string }) => fault.path)).toEqual([field]);
  });

  test.each([
    ["a run of nobody", () => `${path}/comparisons?run=999999`],
    ["an unknown candidate", () => path.replace("int8", "none")],
  ])("%s", async (_, where) => {
    const answer = await control.call("GET", where());
    expect([answer.status, answer.body.code]).toEqual([404, "not_found"]);
  });

  test("a run of another candidate", async () => {
    const { candidate } = await addShadow(control);
    for (const part of ["comparisons", "summary"]) {
      const answer = await control.call("GET", `${path}/${part}?run=${candidate.liveRunId}`);
      expect([answer.status, answer.body.code]).toEqual([404, "not_found"]);
    }
  });
});

test("one comparison, with worst elements, timing and tags", async () => {
  const { body } = await control.call("GET", `/comparisons/${ids[0]}`);
  expect(comparisonDetail.parse(body)).toEqual(body);
  expect(body).toMatchObject({
    id: ids[0],
    candidate: "int8",
    policyVersion: 1,
    result: "mismatch",
    attempts: [{ startedMs: 0, latencyMs: 2, status: 200 }],
    request: {
      status: 200,
      tags: { tenant: "=cmd|' /C calc'!A0", row: "a:0" },
      redacted: ["header:x-user"],
    },
    outputs: [
      { name: "<b>", shape: [2, 0], elements: 0, maxAbs: null, decision: null, worst: [] },
      {
        name: "logits",
        shape: [],
        cosine: "NaN",
        decision: { from: "3", to: "3", flip: false, changes: [] },
        worst: [{ index: [0, 1], primary: "NaN", candidate: 1.5, absError: "NaN" }],
        judgedBy: { rule: "numpy", atol: 1e-6, rtol: 1e-5 },
        histogram: null,
        atolToPass: null,
        statistic: null,
        maxUlps: null,
      },
      {
        name: "measured",
        histogram: measured.histogram,
        atolToPass: "Infinity",
        statistic: { name: "mean", abs: "Infinity", rel: null },
        maxUlps: String(2n ** 60n),
        decision: measured.decision,
      },
    ],
  });
});

test("a comparison that failed tells how; one without details tells nothing", async () => {
  const { body: failed } = await control.call("GET", `/comparisons/${ids[2]}`);
  expect(comparisonDetail.parse(failed)).toEqual(failed);
  expect(failed).toMatchObject({
    message: "no answer within 50 ms",
    attempts: [{ failure: "timeout" }],
    outputs: [],
    candidateMs: null,
  });
  const { body: plain } = await control.call("GET", `/comparisons/${ids[1]}`);
  expect(plain).toMatchObject({ message: null, attempts: [], parameters: [] });
});

test("an output that is the same takes no details, and tells all the same what was measured", async () => {
  const { body } = await control.call("GET", `/comparisons/${ids[1]}`);
  const { candidateDatatype, candidateShape, histogram, atolToPass, worst, maxAbs, cosine } = same;
  expect(histogram).toEqual({ equal: 3, decades: [] });
  expect(body.outputs).toMatchObject([
    { name: "scores", candidateDatatype, candidateShape, histogram, atolToPass, worst, maxAbs, cosine },
  ]);
  const captureId = body.captureId as string;
  const rows = await control.prisma.outputDiff.findMany({ where: { captureId } });
  expect(rows.map(({ details }) => details)).toEqual([null]);
});

test("its tensors are decoded, cut where they are large, and keep what JSON would lose", async () => {
  const { body } = await control.call("GET", `/comparisons/${ids[0]}/tensors`);
  expect(comparisonTensors.parse(body)).toEqual(body);
  const [image, scalar, empty, word, large] = body.inputs.tensors;
  expect(image).toEqual({
    name: "image",
    datatype: "FP32",
    shape: [1, 3],
    elements: 3,
    values: ["NaN", "-Infinity", "-0"],
    truncated: false,
  });
  expect(scalar).toMatchObject({ shape: [], elements: 1, values: ["-9223372036854775808"] });
  expect(empty).toMatchObject({ shape: [2, 0], elements: 0, values: [], truncated: false });
  expect(word.values).toEqual(["<script>alert(1)</script>\u202e", `${"x".repeat(1024)}…`]);
  expect([large.elements, large.values.length, large.truncated]).toEqual([5000, 4096, true]);
  expect(body.primary).toMatchObject({ tensors: [{ name: "logits", values: [1.5, 2] }], note: null });
  expect(body.candidate).toEqual({ tensors: null, note: expect.stringContaining("not kept") });
});

test("a body that cannot be decoded says so; the other is shown", async () => {
  const { body } = await control.call("GET", `/comparisons/${ids[1]}/tensors`);
  expect(body.inputs.tensors).toHaveLength(5);
  expect(body.primary).toEqual({ tensors: null, note: expect.stringContaining("cannot be decoded") });
});

test.each([
  "none",
  "..%2f..%2fetc%2fpasswd",
  "019a9f2e-0000-7000-8000-000000000000.1",
  "019a9f2e-0000-4000-8000-000000000000.1",
  "ffffffff-ffff-7fff-8fff-ffffffffffff.1",
  "019a9f2e-0000-7000-8000-000000000000.999999999999",
])("a comparison that is not: %s", async (id) => {
  for (const suffix of ["", "/tensors"]) {
    const answer = await control.call("GET", `/comparisons/${id}${suffix}`);
    expect([answer.status, answer.body.code]).toEqual([404, "not_found"]);
  }
});

test("a segment that was changed or removed is named, and nothing is shown of it", async () => {
  const file = await control.blobs.get(blobKey);
  const flipped = Buffer.from(file);
  flipped[100]! ^= 1;
  await control.blobs.put(blobKey, flipped);
  const corrupt = await control.call("GET", `/comparisons/${ids[0]}/tensors`);
  expect([corrupt.status, corrupt.body.code]).toEqual([500, "blob_corrupt"]);
  await control.blobs.delete(blobKey);
  const missing = await control.call("GET", `/comparisons/${ids[0]}/tensors`);
  expect([missing.status, missing.body.code]).toEqual([404, "blob_missing"]);
  await control.blobs.put(blobKey, file);
  expect((await control.call("GET", `/comparisons/${ids[0]}/tensors`)).status).toBe(200);
});
