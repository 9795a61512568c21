import type { Policy } from "../../src/compare/policy.js";
import type { ComparisonDetail } from "../../src/control/api.js";
import { type Act, infers, infersBinary, output, says } from "./model.js";

/** Largest body that the product under test takes. */
export const bodyBytesMax = 16_384;

/** Outputs by name, each with its kind; those that match are left out. */
type Kinds = Record<string, ComparisonDetail["outputs"][number]["kind"]>;

/** One request: what either server does with it, and what must be known of it in the end. */
export interface Case {
  name: string;
  primary: Act;
  candidate: Act;
  disposition: ComparisonDetail["disposition"];
  reason: ComparisonDetail["reason"];
  result: ComparisonDetail["result"];
  kind: ComparisonDetail["kind"];
  outputs: Kinds;
  /** How often the candidate was asked. */
  attempts: number;
}

export const policy: Policy = {
  outputs: {
    "*": { rule: "numpy", atol: 1e-8, rtol: 1e-5 },
    debug: { rule: "exact", ignore: { reason: "differs by design" } },
  },
  parameters: "fail",
};

const scores = output("scores", "FP32", [1, 2, 3]);
const label = output("label", "INT64", [7]);
const answers = infers([scores, label]);
const answersWith = (changed: object) => infers([{ ...scores, ...changed }, label]);

const compared = (
  name: string,
  result: Case["result"],
  kind: Case["kind"],
  candidate: Act,
  outputs: Kinds = {},
  primary: Act = answers,
): Case => ({
  name,
  primary,
  candidate,
  disposition: "compared",
  reason: null,
  result,
  kind,
  outputs,
  attempts: 1,
});

const differs = (name: string, kind: keyof typeof inScores, candidate: Act): Case =>
  compared(name, "mismatch", kind, candidate, inScores[kind]);

/** Which outputs a difference of each kind is found in, in the cases below. */
const inScores = {
  missing_output: { scores: "missing_output" },
  extra_output: { surplus: "extra_output" },
  dtype: { scores: "dtype" },
  shape: { scores: "shape" },
  value: { scores: "value" },
  non_finite: { scores: "non_finite" },
  undecodable: { scores: "undecodable", label: "undecodable" },
  parameters: {},
} as const satisfies Record<string, Kinds>;

const fails = (name: string, kind: string, candidate: Act, attempts = 1): Case => ({
  name,
  primary: answers,
  candidate,
  disposition: "candidate_error",
  reason: kind,
  result: "incomparable",
  kind,
  outputs: {},
  attempts,
});

const begins: Act = (response) => {
  response.writeHead(200, { "Content-Type": "application/json", "Content-Length": 500 });
  response.write('{"model_name":');
};
const large = JSON.stringify({ padding: "x".repeat(2 * bodyBytesMax) });

export const cases: readonly Case[] = [
  compared("the same answer", "match", null, answers),
  compared(
    "the same answer, as binary",
    "match",
    null,
    infersBinary("scores", [1, 2, 3]),
    {},
    infers([scores]),
  ),
  compared(
    "a difference that the policy ignores",
    "ignored",
    null,
    infers([output("debug", "FP32", [2])]),
    { debug: "value" },
    infers([output("debug", "FP32", [1])]),
  ),

  differs("an output less", "missing_output", infers([label])),
  differs("an output more", "extra_output", infers([scores, label, output("surplus", "BOOL", [true])])),
  differs("another datatype", "dtype", answersWith({ datatype: "FP64" })),
  differs("another shape of as many elements", "shape", answersWith({ shape: [3, 1] })),
  differs("another value", "value", answersWith({ data: [1, 2.5, 3] })),
  differs("NaN", "non_finite", answersWith({ data: [1, "NaN", 3] })),
  differs("Infinity", "non_finite", answersWith({ data: [1, 2, "Infinity"] })),
  differs("an answer that is not JSON", "undecodable", says(200, "<html>all is well</html>")),
  differs("fewer elements than the shape has", "undecodable", answersWith({ data: [1, 2] })),
  differs("a JSON part said to be longer than all", "undecodable", infersBinary("scores", [1, 2, 3], 9_999)),
  differs(
    "a content coding that it has not",
    "undecodable",
    says(200, "not gzip", { "Content-Encoding": "gzip" }),
  ),
  differs("parameters of the answer", "parameters", infers([scores, label], { parameters: { beams: 4 } })),
  differs("parameters of an output", "parameters", answersWith({ parameters: { scale: 0.5 } })),

  fails("no answer at all", "timeout", () => {}),
  fails("half an answer, then nothing", "timeout", begins),
  fails("a connection reset", "network", (response) => response.socket!.resetAndDestroy()),
  fails("a refusal", "http_4xx", says(400, '{"error":"no"}')),
  fails("a failure", "http_5xx", says(500, '{"error":"broken"}')),
  fails("too many requests, each time", "throttled", says(429, '{"error":"later"}'), 3),
  fails("unavailable, each time", "throttled", says(503, '{"error":"loading"}'), 3),
  fails("what is not HTTP", "protocol_error", (response) => response.socket!.end("220 smtp ready\r\n\r\n")),
  fails("a redirect", "protocol_error", says(302, "", { Location: "http://127.0.0.1:9/v2" })),
  fails("a body announced too large", "too_large", says(200, large)),
  fails("a body that grows too large", "too_large", (response) => {
    // Without a length: chunks.
    response.write(large);
    response.end();
  }),

  compared(
    "both failing",
    "incomparable",
    "both_failed",
    says(500, '{"error":"broken"}'),
    {},
    says(500, '{"error":"broken too"}'),
  ),
  compared("the primary alone refusing", "incomparable", "primary_failed", answers, {}, says(400, "{}")),
  compared("the primary alone failing", "incomparable", "primary_failed", answers, {}, says(500, "{}")),
  compared(
    "the primary answering no JSON",
    "incomparable",
    "primary_undecodable",
    answers,
    {},
    says(200, "?"),
  ),
];
