import { deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { redactionFault } from "../../src/capture/redactors.js";
import { messageOf } from "../../src/errors.js";
import { decodeInferRequest, encodeInferRequest, type InferTensor } from "../../src/protocol/infer.js";
import { keyedHash } from "../../src/redaction/keyed-hash.js";
import { createRedactor, type OpenExchange } from "../../src/redaction/redactor.js";
import { parseRedaction } from "../../src/redaction/settings.js";

type Message = Partial<typeof requestJson> & {
  outputs?: unknown;
  instances?: unknown;
  predictions?: unknown;
};

const hash = keyedHash("a key that is long enough for a test", 1);
const infer = "/v2/models/m/infer";
const word = /^[0-9a-f]{32}$/;

const redactorOf = (redaction: object, options: { hash?: null; bytesMax?: number } = {}) =>
  createRedactor(parseRedaction(redaction), { hash, bytesMax: 1_000_000, ...options });
const rules = (...list: [object, unknown][]) => ({
  rules: list.map(([target, action]) => ({ target, action })),
});

const bytesOf = (...texts: string[]) =>
  Buffer.concat(
    texts.flatMap((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(Buffer.byteLength(text));
      return [length, Buffer.from(text)];
    }),
  );
const requestJson = {
  id: "42",
  unknown: { to: "us" },
  parameters: { user: "Ada", priority: 3 },
  inputs: [
    {
      name: "text",
      datatype: "BYTES",
      shape: [2],
      data: ["Ada Lovelace", "né à Łódź 🧮"],
      parameters: { user: "Ada" },
    },
    { name: "age", datatype: "INT64", shape: [1, 1], data: [[36]] },
    { name: "x", datatype: "FP32", shape: [3], data: [1.5, 2, 3] },
  ],
  outputs: [{ name: "label" }],
};
const responseJson = {
  model_name: "m",
  model_version: "1",
  parameters: { user: "Ada" },
  outputs: [
    { name: "label", datatype: "BYTES", shape: [1], data: ["Ada"] },
    { name: "score", datatype: "FP32", shape: [1], data: [0.5] },
  ],
};

const side = (body: string | Uint8Array, ...headers: string[]) => ({ headers, body: Buffer.from(body) });
function exchange(given: Partial<OpenExchange> = {}): OpenExchange {
  return {
    path: infer,
    status: 200,
    request: side(JSON.stringify(requestJson)),
    response: side(JSON.stringify(responseJson)),
    ...given,
  };
}
const parsed = (body: Uint8Array) => JSON.parse(Buffer.from(body).toString()) as Required<Message>;

describe("inputs of a JSON request", () => {
  test.each([
    ["mask a text", { input: "text" }, "mask", 0, ["[redacted]", "[redacted]"]],
    ["hash a text", { input: "text" }, "hash", 0, [expect.stringMatching(word), expect.stringMatching(word)]],
    ["truncate a text, by characters", { input: "text" }, { truncate: 4 }, 0, ["Ada ", "né à"]],
    ["truncate to nothing", { input: "text" }, { truncate: 0 }, 0, ["", ""]],
    ["mask a number", { input: "x" }, "mask", 2, [0, 0, 0]],
    ["truncate numbers", { input: "x" }, { truncate: 1 }, 2, [1.5, 0, 0]],
  ])("%s", (_, target, action, index, data) => {
    const { request, redacted } = redactorOf(rules([target, action])).exchange(exchange());
    const message = parsed(request.body);
    expect(message.inputs[index]?.data).toEqual(data);
    expect(redacted).toEqual([`input:${(target as { input: string }).input}`]);
    // All else is as it was, what we do not know as well.
    const inputs = requestJson.inputs.map((input, at) => (at === index ? { ...input, data } : input));
    expect(message).toEqual({ ...requestJson, inputs });
  });

  test("an integer is hashed within its datatype, alike where alike", () => {
    const redactor = redactorOf(rules([{ input: "age" }, "hash"]));
    const [once, again] = [redactor.exchange(exchange()), redactor.exchange(exchange())];
    expect(once.request.body).toEqual(again.request.body);
    const [, age] = decodeInferRequest(once.request.body, null).inputs;
    expect(age).toMatchObject({ datatype: "INT64", shape: [1, 1] });
    expect(Buffer.from(age!.data).readBigInt64LE()).toBeGreaterThan(0n);
    expect(Buffer.from(age!.data).readBigInt64LE()).not.toBe(36n);
  });

  test("a dropped input is gone, the others stay", () => {
    const { request } = redactorOf(rules([{ input: "text" }, "drop"])).exchange(exchange());
    expect(parsed(request.body).inputs).toEqual(requestJson.inputs.slice(1));
  });

  test("one that the request lacks marks nothing", () => {
    expect(redactorOf(rules([{ input: "other" }, "mask"])).exchange(exchange()).redacted).toEqual([]);
  });
});

describe("binary and mixed requests", () => {
  const inputs: InferTensor[] = [
    { name: "x", datatype: "FP32", shape: [2], parameters: {}, data: Uint8Array.from(Buffer.alloc(8, 65)) },
    {
      name: "text",
      datatype: "BYTES",
      shape: [2],
      parameters: {},
      data: Uint8Array.from(bytesOf("Ada", "Grace")),
    },
    { name: "half", datatype: "FP16", shape: [2], parameters: {}, data: Uint8Array.from([1, 2, 3, 4]) },
  ];
  const encoded = encodeInferRequest({ parameters: {}, inputs, outputs: [] }, { binary: true });
  const open = exchange({
    request: side(encoded.body, "inference-header-content-length", String(encoded.headerLength)),
  });

  test.each([
    ["mask", "text", bytesOf("[redacted]", "[redacted]")],
    [{ truncate: 2 }, "text", bytesOf("Ad", "Gr")],
    ["mask", "half", Buffer.alloc(4)],
    ["mask", "x", Buffer.alloc(8)],
  ])("%j %s stays binary, and its neighbours are untouched", (action, name, data) => {
    const { request } = redactorOf(rules([{ input: name }, action])).exchange(open);
    const headerLength = Number(
      request.headers[request.headers.indexOf("inference-header-content-length") + 1],
    );
    const read = decodeInferRequest(request.body, headerLength).inputs;
    for (const [index, input] of inputs.entries()) {
      expect(Buffer.from(read[index]!.data)).toEqual(Buffer.from(input.name === name ? data : input.data));
    }
  });

  test("a dropped tensor takes its bytes along", () => {
    const { request } = redactorOf(rules([{ input: "text" }, "drop"])).exchange(open);
    expect(Buffer.from(request.body).includes("Grace")).toBe(false);
    const headerLength = Number(request.headers[1]);
    expect(decodeInferRequest(request.body, headerLength).inputs.map(({ name }) => name)).toEqual([
      "x",
      "half",
    ]);
  });

  test.each([
    "$.inputs[0].data",
    "$.inputs[*].data",
    "$['inputs']..data",
    "$.*[0].data",
    "$..data",
    "$..data[0]",
    "$..inputs[0].data",
    "$..inputs[*].data",
    "$..inputs",
  ])("the path %s leads into tensors, so it is refused", (json) => {
    expect(() => redactorOf(rules([{ json }, "mask"])).exchange(open)).toThrow("tensors that are binary");
  });

  test("a path beside the tensors is obeyed", () => {
    const { request } = redactorOf(rules([{ json: "$..user" }, "mask"])).exchange(open);
    expect(Buffer.from(request.body).includes("Grace")).toBe(true);
  });

  test("no form of a request lets a masked text through", () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^secret-[a-z]{1,9}$/), { maxLength: 5 }),
        fc.boolean(),
        (texts, binary) => {
          const tensor = { name: "t", datatype: "BYTES", shape: [texts.length], parameters: {} } as const;
          const message = encodeInferRequest(
            {
              parameters: {},
              inputs: [{ ...tensor, data: Uint8Array.from(bytesOf(...texts)) }],
              outputs: [],
            },
            { binary },
          );
          const headers =
            message.headerLength === null
              ? []
              : ["inference-header-content-length", String(message.headerLength)];
          const { request } = redactorOf(rules([{ input: "t" }, "mask"])).exchange(
            exchange({ request: side(message.body, ...headers) }),
          );
          expect(Buffer.from(request.body).includes("secret-")).toBe(false);
        },
      ),
    );
  });
});

describe("parameters, JSON paths and headers", () => {
  test("a parameter goes wherever it stands, on both sides", () => {
    const { request, response, redacted } = redactorOf(rules([{ parameter: "user" }, "drop"])).exchange(
      exchange(),
    );
    expect(parsed(request.body).parameters).toEqual({ priority: 3 });
    expect(parsed(request.body).inputs[0]?.parameters).toEqual({});
    expect(parsed(response.body).parameters).toEqual({});
    expect(redacted).toEqual(["parameter:user", "response-parameter:user"]);
  });

  test.each([
    ["$.id", "mask", (json: Required<Message>) => json.id, "[redacted]"],
    ["$.unknown.to", "hash", (json: Required<Message>) => json.unknown.to, expect.stringMatching(word)],
    ["$.unknown", "mask", (json: Required<Message>) => json.unknown, { to: "[redacted]" }],
    ["$.parameters.priority", { truncate: 5 }, (json: Required<Message>) => json.parameters.priority, 0],
    [
      "$.inputs[0].data[1]",
      "mask",
      (json: Required<Message>) => json.inputs[0]?.data,
      ["Ada Lovelace", "[redacted]"],
    ],
  ])("%s %j", (json, action, pick, expected) => {
    const { request } = redactorOf(rules([{ json }, action])).exchange(exchange());
    expect(pick(parsed(request.body))).toEqual(expected);
  });

  test("a path into an output says which output", () => {
    const { redacted } = redactorOf(rules([{ json: "$.outputs[*].data[*]" }, "mask"])).exchange(exchange());
    expect(redacted).toEqual(["output:label", "output:score"]);
  });

  test("headers", () => {
    const request = {
      ...exchange().request,
      headers: ["x-request-id", "ada-1", "accept", "*/*", "traceparent", "00-1"],
    };
    const redaction = rules(
      [{ header: "X-Request-Id" }, "drop"],
      [{ header: "traceparent" }, { truncate: 2 }],
    );
    const done = redactorOf(redaction).exchange(exchange({ request }));
    expect(done.request.headers).toEqual(["accept", "*/*", "traceparent", "00"]);
    expect(done.request.body).toBe(request.body);
    expect(done.redacted).toEqual(["header:x-request-id", "header:traceparent"]);
  });

  test("the query is not kept", () => {
    expect(redactorOf({}).exchange(exchange({ path: `${infer}?token=secret` })).path).toBe(infer);
  });
});

describe("bodies of plain JSON", () => {
  const open = (path: string, request: unknown, response: unknown) =>
    exchange({ path, request: side(JSON.stringify(request)), response: side(JSON.stringify(response)) });
  const generate = open(
    "/v2/models/m/generate",
    { text_input: "Ada", parameters: { user: "Ada" } },
    { text_output: "Ada" },
  );
  const predict = open(
    "/v1/models/m:predict",
    { instances: [{ text: "Ada", n: 1 }, { text: "Grace" }] },
    { predictions: [{ label: "Ada" }] },
  );

  test("by JSON path, on both sides", () => {
    const redaction = rules([{ json: "$.text_input" }, "mask"], [{ json: "$.text_output" }, "mask"]);
    const { request, response, redacted } = redactorOf(redaction).exchange(generate);
    expect(parsed(request.body)).toEqual({ text_input: "[redacted]", parameters: { user: "Ada" } });
    expect(parsed(response.body)).toEqual({ text_output: "[redacted]" });
    expect(redacted).toEqual(["json:$.text_input", "output:text_output"]);
  });

  test("an input by its name, where such a body holds it", () => {
    const one = redactorOf(
      rules([{ input: "text_input" }, "mask"], [{ parameter: "user" }, "drop"]),
    ).exchange(generate);
    expect(parsed(one.request.body)).toEqual({ text_input: "[redacted]", parameters: {} });
    const many = redactorOf(rules([{ input: "text" }, "mask"], [{ output: "label" }, "mask"])).exchange(
      predict,
    );
    expect(parsed(many.request.body).instances).toEqual([
      { text: "[redacted]", n: 1 },
      { text: "[redacted]" },
    ]);
    expect(parsed(many.response.body).predictions).toEqual([{ label: "[redacted]" }]);
  });

  test("an input that is found by no name might be there without one: refused", () => {
    const unnamed = open("/v1/models/m:predict", { instances: [["Ada"]] }, { predictions: [1] });
    expect(() => redactorOf(rules([{ input: "text" }, "mask"])).exchange(unnamed)).toThrow("names no input");
    const unlisted = open("/v1/models/m:predict", { inputs: [["Ada"]] }, { predictions: [1] });
    expect(() => redactorOf(rules([{ input: "text" }, "mask"])).exchange(unlisted)).toThrow(
      "no input was found",
    );
  });
});

describe("event streams", () => {
  const events = (...data: unknown[]) => side(data.map((one) => `data: ${JSON.stringify(one)}\n\n`).join(""));
  const stream = exchange({
    path: "/v2/models/m/generate_stream",
    request: side(JSON.stringify({ text_input: "Ada" })),
    response: events({ text_output: "A", n: 1 }, { text_output: "da" }),
  });

  test.each(["mask", "hash", { truncate: 1 }])("%j masks every piece", (action) => {
    const { response, redacted } = redactorOf(rules([{ output: "text_output" }, action])).exchange(stream);
    expect(response.body.toString()).toBe(
      events({ text_output: "[redacted]", n: 1 }, { text_output: "[redacted]" }).body.toString(),
    );
    expect(redacted).toEqual(["output:text_output"]);
  });

  test("events that are no JSON cannot be looked into: refused", () => {
    const response = side("data: Ada\n\n");
    expect(() =>
      redactorOf(rules([{ json: "$..text" }, "mask"])).exchange({ ...stream, response }),
    ).toThrow();
  });
});

describe("content codings", () => {
  test.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
  ])("%s is removed, and what is left is redacted", (coding, compress) => {
    const request = side(compress(JSON.stringify(requestJson)), "content-encoding", coding, "accept", "*/*");
    const done = redactorOf(rules([{ input: "text" }, "mask"])).exchange(exchange({ request }));
    expect(parsed(done.request.body).inputs[0]?.data).toEqual(["[redacted]", "[redacted]"]);
    expect(done.request.headers).toEqual(["accept", "*/*"]);
  });
});

describe("errors of the primary", () => {
  test("their text, which may quote the input, is not kept", () => {
    const failed = exchange({ status: 400, response: side('{"error":"cannot read \'Ada\'"}') });
    const { response, redacted } = redactorOf(rules([{ input: "text" }, "mask"])).exchange(failed);
    expect(parsed(response.body)).toEqual({ error: "[redacted]" });
    expect(redacted).toEqual(["input:text", "response-error"]);
  });

  test.each(["out of memory at Ada", JSON.stringify(responseJson), '{"label":"Ada"}'])(
    "nor where rules concern the answer alone: %s",
    (body) => {
      const failed = exchange({ status: 500, response: side(body) });
      const { response, redacted } = redactorOf(rules([{ output: "label" }, "mask"])).exchange(failed);
      expect(parsed(response.body)).toEqual({ error: "[redacted]" });
      expect(redacted).toEqual(["response-error"]);
    },
  );

  test("an error event within a stream is masked by a rule for the answer alone", () => {
    const response = side('data: {"text_output":"a"}\n\ndata: {"error":"stopped behind Ada"}\n\n');
    const request = side('{"text_input":"x"}');
    const failed = exchange({ path: "/v2/models/m/generate_stream", request, response });
    const done = redactorOf(rules([{ output: "text_output" }, "mask"])).exchange(failed);
    expect(Buffer.from(done.response.body).toString()).not.toContain("Ada");
  });

  test("their text is kept where no rule concerns a body", () => {
    const failed = exchange({ status: 500, response: side("out of memory") });
    const { response } = redactorOf(rules([{ header: "accept" }, "drop"])).exchange(failed);
    expect(Buffer.from(response.body).toString()).toBe("out of memory");
  });
});

describe("plain JSON, and what is not where rules look first", () => {
  const plain = (path: string, request: object, response: object | string, status = 200): OpenExchange => ({
    path,
    status,
    request: side(JSON.stringify(request)),
    response: side(typeof response === "string" ? response : JSON.stringify(response)),
  });
  const generatePath = "/v2/models/m/generate";
  const everything = (done: { request: { body: Uint8Array }; response: { body: Uint8Array } }) =>
    `${Buffer.from(done.request.body)} ${Buffer.from(done.response.body)}`;

  test("a parameter that is found does not vouch for inputs that are not named", () => {
    const body = { parameters: { user: "Ada" }, id: "Ada", instances: [["Ada Lovelace"]] };
    const bare = plain("/v1/models/m:predict", body, { predictions: [1] });
    const list: [object, unknown][] = [
      [{ input: "text" }, "mask"],
      [{ parameter: "user" }, "drop"],
      [{ json: "$.id" }, "mask"],
    ];
    expect(() => redactorOf(rules(...list)).exchange(bare)).toThrow(/JSON path/);
    const named = redactorOf(rules(...list, [{ json: "$.instances[*][0]" }, "mask"])).exchange(bare);
    expect(everything(named)).not.toContain("Ada");
  });

  const text: [object, unknown] = [{ input: "text" }, "mask"];
  test.each<[string, unknown[], [object, unknown][], RegExp | null]>([
    ["objects and bare ones", [{ text: "Ada" }, ["Ada"]], [text], /^instances\[1\] names no input/],
    ["objects and a bare text", [{ text: "Ada" }, "Ada"], [text], /^instances\[1\] names no input/],
    [
      "one of two bare ones reached by a path",
      [{ text: "Ada" }, ["Ada"], ["Ada"]],
      [text, [{ json: "$.instances[2]" }, "mask"]],
      /^instances\[1\] names no input/,
    ],
    [
      "bare ones that paths reach each",
      [{ text: "Ada" }, ["Ada"], "Ada"],
      [text, [{ json: "$.instances[2]" }, "mask"], [{ json: "$.instances[1][0]" }, "drop"]],
      null,
    ],
    [
      "a path to all of them",
      [{ text: "Ada" }, ["Ada"], "Ada"],
      [text, [{ json: "$.instances" }, "mask"]],
      null,
    ],
    ["an object without the field", [{ text: "Ada" }, { n: 1 }], [text], null],
    ["parameters alone", [["x"], { user: "Ada" }], [[{ json: "$..user" }, "drop"]], null],
  ])("mixed instances: %s", (_, instances, list, refused) => {
    const asked = plain("/v1/models/m:predict", { instances }, { predictions: [1] });
    const redactor = redactorOf(rules(...list));
    if (refused === null) expect(everything(redactor.exchange(asked))).not.toContain("Ada");
    else expect(() => redactor.exchange(asked)).toThrow(refused);
  });

  test("mixed predictions are refused alike", () => {
    const asked = plain(
      "/v1/models/m:predict",
      { instances: [1] },
      { predictions: [{ label: "Ada" }, "Ada"] },
    );
    expect(() => redactorOf(rules([{ output: "label" }, "mask"])).exchange(asked)).toThrow(
      "predictions[1] names no output",
    );
  });

  test("generate has parameters at the top, in the request and in the answer", () => {
    const asked = plain(
      generatePath,
      { text_input: "hello", user: "Ada" },
      { model_name: "m", user: "Ada", text_output: "hello" },
    );
    const done = redactorOf(rules([{ parameter: "user" }, "mask"])).exchange(asked);
    expect(everything(done)).not.toContain("Ada");
    expect(done.redacted).toEqual(["parameter:user", "output:user"]);
    const owned = redactorOf({ subject: { parameter: "user" } }).exchange(asked);
    expect(owned.subject).toBe(hash.subject("Ada"));
    expect(everything(owned)).not.toContain("Ada");
  });

  test("a subject that the model gives back is taken out of the answer", () => {
    const done = redactorOf({ subject: { parameter: "user" } }).exchange(exchange());
    expect(parsed(done.response.body).parameters).toEqual({});
  });

  test("an error within an event stream may quote the input", () => {
    const stream = 'data: {"text_output":"a"}\n\ndata: {"error":"cannot read Ada"}\n\n';
    const asked = plain(`${generatePath}_stream`, { text_input: "Ada" }, stream);
    const done = redactorOf(rules([{ input: "text_input" }, "mask"])).exchange(asked);
    expect(everything(done)).not.toContain("Ada");
    expect(everything(done)).toContain('"text_output":"a"');
  });

  test("the reason that is logged quotes nothing of a body", () => {
    const inputs = [{ name: "text", datatype: "FP32", shape: [1], data: ["Ada"] }];
    const asked = plain(infer, { inputs }, responseJson);
    const error = caught(() => redactorOf(rules([{ input: "text" }, "mask"])).exchange(asked));
    expect(messageOf(error)).toContain("Ada");
    expect(redactionFault(error)).not.toContain("Ada");
    const unset = redactorOf(rules([{ input: "age" }, "hash"]), { hash: null });
    expect(redactionFault(caught(() => unset.exchange(exchange())))).toContain("UNDERSTUDY_REDACTION_KEY");
  });
});

function caught(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("the subject", () => {
  test("in a header: a keyed hash, and nothing else", () => {
    const request = side(JSON.stringify(requestJson), "x-user", "ada@example.org", "accept", "*/*");
    const done = redactorOf({ subject: { header: "X-User" } }).exchange(exchange({ request }));
    expect(done.subject).toBe(hash.subject("ada@example.org"));
    expect(done.request.headers).toEqual(["accept", "*/*"]);
    expect(done.redacted).toEqual([]);
  });

  test.each([
    ["Ada", "Ada"],
    [7, "7"],
  ])("in a parameter: %j", (user, text) => {
    const request = side(JSON.stringify({ ...requestJson, parameters: { user } }));
    const done = redactorOf({ subject: { parameter: "user" } }).exchange(exchange({ request }));
    expect(done.subject).toBe(hash.subject(text));
    expect(parsed(done.request.body).parameters).toEqual({});
    expect(done.redacted).toEqual(["response-parameter:user"]);
  });

  test("a request that names none has none", () => {
    expect(redactorOf({ subject: { header: "x-user" } }).exchange(exchange()).subject).toBeNull();
  });

  test("hashes differ by key, by deployment, and from those of values", () => {
    const hashes = [
      hash,
      keyedHash("another key, as long as the first one", 1),
      keyedHash("a key that is long enough for a test", 2),
    ];
    const all = hashes.flatMap((one) => [one.subject("Ada"), one.value("Ada")]);
    expect(new Set(all).size).toBe(all.length);
  });
});

describe("fails closed", () => {
  const masked = rules([{ input: "text" }, "mask"]);
  test.each([
    ["a body that is no JSON", masked, { request: side("secret") }],
    ["JSON that is no request", masked, { request: side('{"secret":1}') }],
    ["duplicate keys", masked, { request: side('{"inputs":[],"inputs":[{"name":"text"}]}') }],
    ["a raw binary request", masked, { request: side("secret", "inference-header-content-length", "0") }],
    ["a length beyond the body", masked, { request: side("{}", "inference-header-content-length", "99") }],
    ["an unknown coding", masked, { request: side("x", "content-encoding", "br") }],
    ["two codings", masked, { request: side(gzipSync(gzipSync("x")), "content-encoding", "gzip, gzip") }],
    ["a damaged coding", masked, { request: side("x", "content-encoding", "gzip") }],
    ["a bomb", masked, { request: side(gzipSync(Buffer.alloc(5_000_000)), "content-encoding", "gzip") }],
    ["an answer that cannot be read", rules([{ output: "label" }, "mask"]), { response: side("secret") }],
    ["a hash of floats", rules([{ input: "x" }, "hash"]), {}],
    ["a tensor broken by a path", rules([{ json: "$.inputs[0].data[0]" }, "drop"]), {}],
  ])("%s", (_, redaction, given) => {
    expect(() => redactorOf(redaction).exchange(exchange(given))).toThrow();
  });

  test.each<[string, object]>([
    ["a hash", rules([{ input: "text" }, "hash"])],
    ["a subject", { subject: { parameter: "user" } }],
  ])("%s without a key", (_, redaction) => {
    expect(() => redactorOf(redaction, { hash: null }).exchange(exchange())).toThrow(
      "UNDERSTUDY_REDACTION_KEY",
    );
  });
});

describe("what is refused as a redaction", () => {
  test.each([
    [{ rules: [{ target: { input: "x" }, action: "encrypt" }] }, "rules.0.action"],
    [{ rules: [{ target: { input: "x", output: "y" }, action: "mask" }] }, "rules.0.target"],
    [{ rules: [{ target: { json: "user" }, action: "mask" }] }, "rules.0.target"],
    [{ rules: [{ target: { header: "content-type" }, action: "mask" }] }, "rules.0.target"],
    [{ rules: [{ target: { input: "x" }, action: { truncate: -1 } }] }, "rules.0.action"],
    [{ subject: { header: "Authorization" } }, "subject"],
    [{ subject: { header: "x", parameter: "y" } }, "subject"],
    [{ rule: [] }, "rule"],
  ])("%j", (redaction, path) => {
    expect(() => parseRedaction(redaction)).toThrow(path);
  });
});
