import fc from "fast-check";
import { expect, test } from "vitest";
import { examine } from "../../src/capture/examine.js";
import type { StoredRecord } from "../../src/capture/record.js";
import { decodeAnswer, decodeCall } from "../../src/protocol/answer.js";
import { callOf } from "../../src/protocol/call.js";
import { outlineOf, parseJson, surveyJson } from "../../src/protocol/json.js";
import { sequenceId, usesSharedMemory } from "../../src/protocol/request-parameters.js";
import { hasLayout, type Layout, layoutOf, outlineOfLayout } from "../../src/protocol/stand-in-numbers.js";
import { datatypes } from "../../src/tensor/tensor.js";

const bytesMax = 2 ** 20;

function recordOf(path: string, requestBody: Buffer, responseBody: Buffer): StoredRecord {
  return {
    id: "018f0000-0000-7000-8000-000000000000",
    cut: 1,
    deploymentId: 1,
    sequence: 1,
    receivedAtMs: 0,
    primaryMs: 1,
    status: 200,
    sample: "base",
    rule: "",
    gaps: null,
    method: "POST",
    path,
    requestHeaderText: "",
    responseHeaderText: "",
    requestBytes: requestBody.length,
    responseBytes: responseBody.length,
    requestBody,
    responseBody,
    redacted: [],
    subject: null,
    sequencePlace: null,
  };
}

/** What reading both messages in full says. */
function inFull(path: string, requestBody: Buffer, responseBody: Buffer): string {
  const call = callOf(path);
  try {
    const request = decodeCall(call, requestBody, null);
    if (usesSharedMemory(request)) return "shared_memory";
    if (sequenceId(request) !== null) return "sequence";
  } catch {
    return "parse";
  }
  try {
    return `version ${decodeAnswer(call, responseBody, null).modelVersion.slice(0, 128)}`;
  } catch {
    return "version ";
  }
}

function examined(path: string, requestBody: Buffer, responseBody: Buffer): string {
  const outcome = examine(recordOf(path, requestBody, responseBody), bytesMax);
  return "capture" in outcome ? `version ${outcome.capture.primaryVersion}` : outcome.notEligible;
}

const numberText = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: -9, max: 9, noNaN: true }).map(String) },
  { weight: 6, arbitrary: fc.integer({ min: -300, max: 70_000 }).map(String) },
  { weight: 2, arbitrary: fc.double().map(String) },
  { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...["-0", "0.0", "1.0", "1e-5", "1E-07", "1e5", "65503.9", "65519.9999", "65520.1", "3.5e38", "1e999"],
      ...[
        "01",
        "1.",
        ".5",
        "-",
        "+1",
        "1e",
        "0x1",
        "true",
        "null",
        '"a"',
        "999999999",
        "1000000000",
        "255",
        "256",
      ],
    ),
  },
);
/** One kind in most lists, now and then with another between. */
const listText = fc
  .tuple(
    fc.oneof(
      fc.array(fc.double({ min: -9, max: 9, noNaN: true }).map(String), { maxLength: 6 }),
      fc.array(fc.integer({ min: 0, max: 255 }).map(String), { minLength: 60, maxLength: 70 }),
      fc.array(fc.integer({ min: -200, max: 66_000 }).map(String), { minLength: 60, maxLength: 70 }),
      fc.array(fc.constantFrom("0", "1"), { minLength: 60, maxLength: 70 }),
    ),
    fc.array(fc.tuple(fc.nat(70), numberText), { maxLength: 1 }),
    fc.constantFrom(",", ", ", "\n,\t"),
  )
  .map(([list, odd, comma]) => {
    const items = list.slice();
    for (const [at, text] of odd) items[at % (items.length + 1)] = text;
    return { count: items.length, text: `[${items.join(comma)}]` };
  });

const tensorText = fc
  .tuple(fc.constantFrom(...datatypes), listText, fc.constantFrom("flat", "nested", "lie", "region", "shape"))
  .map(([datatype, { count, text }, form]) => {
    const head = `"name":"x","datatype":"${datatype}"`;
    switch (form) {
      case "flat":
        return `{${head},"shape":[${count}],"data":${text}}`;
      case "nested":
        return `{${head},"shape":[2,${count}],"data":[${text},${text}]}`;
      case "lie":
        return `{${head},"shape":[${count + 1}],"data":${text}}`;
      case "region":
        return `{${head},"shape":[${count}],"parameters":{"shared_memory_region":"r"}}`;
      default:
        return `{${head},"shape":${text},"data":[]}`;
    }
  });

const parametersText = fc.oneof(
  { weight: 4, arbitrary: fc.constant("{}") },
  fc.constantFrom('{"sequence_id":7}', '{"sequence_id":0}', '{"sequence_id":"s"}'),
  listText.map(({ text }) => `{"sequence_id":${text},"note":"${text.replaceAll(/["\n\t]/g, "")}"}`),
);

const messageText = fc
  .tuple(tensorText, parametersText, fc.constantFrom("inputs", "outputs", "instances"), listText)
  .map(
    ([tensor, parameters, field, { text }]) =>
      `{"model_name":"m","model_version":"${text.replaceAll(/["\n\t]/g, "")}","parameters":${parameters},"${field}":[${tensor}]}`,
  );

const body = fc
  .tuple(messageText, fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'[]{},:"-.e0123 \\')), { maxLength: 1 }))
  .map(([text, edits]) => {
    const bytes = Buffer.from(text);
    for (const [at, sign] of edits) bytes.write(sign, at % bytes.length);
    return bytes;
  });

const path = fc.constantFrom(
  "/v2/models/m/infer",
  "/v2/models/m/generate",
  "/v2/models/m/generate_stream",
  "/v1/models/m:predict",
);

test("what is learnt of an exchange is what reading all of it would say", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(path, body, body, (target, request, response) => {
      const answer = target.endsWith("_stream")
        ? Buffer.concat([Buffer.from("data: "), response, Buffer.from("\n\n")])
        : response;
      const truth = inFull(target, request, answer);
      seen.add(truth.split(" ")[0]!);
      expect(examined(target, request, answer)).toBe(truth);
    }),
    { numRuns: 500 },
  );
  expect([...seen].sort()).toEqual(["parse", "sequence", "shared_memory", "version"]);
});

test.each([
  ["decimals", `[${Array.from({ length: 630 }, (_, index) => `${index}.25`).join()}]`],
  ["whole numbers", `[${Array.from({ length: 630 }, (_, index) => index - 9).join()}]`],
])("others stand in for %s, as many", (_, text) => {
  const survey = surveyJson(text) as number[];
  expect(survey).toHaveLength(630);
  expect(survey).not.toEqual(parseJson(text));
});

test.each(["[1,2,3]", "[1.5,NaN]", "[1e5,0.5]", '[0.5,"a"]', "[]", "[[1],[2]]"])(
  "%s is read as it is",
  (text) => {
    expect(surveyJson(text)).toEqual(parseJson(text));
  },
);

test("a list that messages share counts for each of them as its own would", () => {
  const list = `[${Array.from({ length: 100 }, (_, index) => `${index}.25`).join()}]`;
  const request = (datatype: string, shape: number[]) =>
    Buffer.from(
      JSON.stringify({ inputs: [{ name: "x", datatype, shape, data: 0 }] }).replace(":0}", `:${list}}`),
    );
  expect(surveyJson(Buffer.from(list))).toBe(surveyJson(Buffer.from(list)));
  for (let round = 0; round < 2; round++) {
    for (const datatype of datatypes) {
      for (const shape of [[100], [1, 100], [99], [101], [2, 100]]) {
        const body = request(datatype, shape);
        expect(examined("/v2/models/m/infer", body, body)).toBe(inFull("/v2/models/m/infer", body, body));
      }
    }
  }
  const decoded = decodeCall("infer", request("FP32", [100]), null, surveyJson);
  expect(decoded.inputs[0]!.data).toHaveLength(400);
});

test("of messages that differ in their numbers alone, each is judged by its own", () => {
  const numbers = ["0.25", "1.0", "1.5", "65520.5", "70000.25", "-3.5"];
  const message = (number: string, datatype: string) => {
    const list = Array.from({ length: 9 }, (_, index) => (index === 4 ? number : "0.5")).join();
    const tensor = `{"name":"x","datatype":"${datatype}","shape":[9],"data":[${list}]}`;
    return Buffer.from(
      `{"model_version":"7","inputs":[${tensor}],"outputs":[${tensor}],"instances":[[${list}]]}`,
    );
  };
  const judged = new Set<string>();
  for (const target of ["/v2/models/m/infer", "/v2/models/m/generate", "/v1/models/m:predict"]) {
    for (const datatype of datatypes) {
      for (const number of [...numbers, ...numbers.toReversed()]) {
        const body = message(number, datatype);
        const truth = inFull(target, body, body);
        judged.add(truth);
        expect(examined(target, body, body), `${target} ${datatype} ${number}`).toBe(truth);
      }
    }
  }
  expect([...judged].sort()).toEqual(["parse", "version 7"]);
});

test("what is known of a message outlives its memory, which the next is read into", () => {
  const memory = Buffer.alloc(256);
  const into = (text: string) => memory.subarray(0, memory.write(text));
  const tensor = `{"name":"x","datatype":"FP32","shape":[9],"data":[${decimals}]}`;
  const request = (key: string) => `{"parameters":{"${key}":7},"inputs":[${tensor}]}`;
  const answer = (version: number) => `{"model_version":"${version}","outputs":[${tensor}]}`;
  const sound = Buffer.from(request("other"));
  for (const version of [1, 2, 2, 1, 3]) {
    const found = examined("/v2/models/m/infer", sound, into(answer(version)));
    expect(found).toBe(`version ${version}`);
  }
  for (const key of ["sequence_if", "sequence_id", "sequence_id", "sequence_if"]) {
    const found = examined("/v2/models/m/infer", into(request(key)), Buffer.from(answer(1)));
    expect(found, key).toBe(key === "sequence_id" ? "sequence" : "version 1");
  }
});

test("messages have the same layout exactly when their outlines are the same", () => {
  const list = fc.array(fc.constantFrom("0.5", "-12.25", "1e-9"), { minLength: 7, maxLength: 9 });
  const part = fc.oneof(
    fc.constantFrom('"x":', '"[":', "[1,2]", ",", "\\", "]", "é", "[0.5,x]"),
    list.map((numbers) => `[${numbers.join()}]`),
    list.map((numbers) => `"[${numbers.join()}]"`),
  );
  const message = fc.array(part, { maxLength: 5 }).map((parts) => Buffer.from(parts.join("")));
  // The same but for the digits, mostly.
  const changed = (source: Buffer, digit: string) =>
    Buffer.from(source.toString().replaceAll(/5|25/g, (digits) => digit.repeat(digits.length)));
  const outline = (layout: Layout) => outlineOfLayout(layout, (bytes) => bytes.toString("latin1"));
  let same = 0;
  fc.assert(
    fc.property(message, message, fc.constantFrom("5", "7", "", "x"), (some, other, digit) => {
      for (const [one, another] of [
        [some, other],
        [some, changed(some, digit)],
        [some, Buffer.concat([some, other])],
        [some, some.subarray(0, -1)],
      ] as const) {
        const layouts = [layoutOf(one), layoutOf(another)] as const;
        if (layouts[0] === null || layouts[0].counts.length === 0) continue;
        const isSame = layouts[1] !== null && outline(layouts[0]) === outline(layouts[1]);
        expect(hasLayout(another, layouts[0]), `${one} ${another}`).toBe(isSame);
        if (isSame && !one.equals(another)) same += 1;
      }
    }),
    { numRuns: 2_000 },
  );
  expect(same).toBeGreaterThan(50);
});

test("who knows how an outline names a list gets none of his own", () => {
  const outline = outlineOf(layoutOf(Buffer.from(`[${decimals}]`))!);
  const name = JSON.parse(outline)[0] as string;
  expect(surveyJson(Buffer.from(outline))).toHaveLength(9);
  const guesses = ["4000000000", "1.5", "x", "-1"].map((count) => name.replace(/9$/, count));
  for (const guess of guesses) expect(surveyJson(Buffer.from(JSON.stringify([guess])))).toEqual([guess]);
});

test("lists of more lengths than are kept are told all the same", () => {
  for (let length = 1; length < 100; length++) {
    const text = `[${Array.from({ length }, () => "0.5").join()}]`;
    expect(surveyJson(Buffer.from(text))).toHaveLength(length);
  }
});

const decimals = Array.from({ length: 9 }, () => "0.5").join();

test.each([
  [`{"text":"[${decimals}]","data":[${decimals}]}`],
  [`{"text":"[${decimals}","more":"]","data":[${decimals}]}`],
  [`{"text":"\\"[${decimals}]","data":[${decimals}]}`],
  [`{"text":"a\\\\","data":[[${decimals}],[1.5],["x"]]}`],
  [`[[${decimals}],[ ${decimals}]]`],
])("%s says the same but for its numbers", (text) => {
  const withoutNumbers = (value: unknown) =>
    JSON.stringify(value, (_, part) => (typeof part === "number" ? 0 : part));
  expect(withoutNumbers(surveyJson(Buffer.from(text)))).toBe(withoutNumbers(parseJson(text)));
});
