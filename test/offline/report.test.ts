import { expect, test } from "vitest";
import { diffText } from "../../src/cli/diff-text.js";
import { compareAnswers } from "../../src/compare/answers.js";
import { plainKernel } from "../../src/compare/plain-kernel.js";
import { parsePolicy } from "../../src/compare/policy.js";
import { type Report, reportOf } from "../../src/offline/report.js";
import { reportHtml } from "../../src/offline/report-html.js";
import type { InferTensor } from "../../src/protocol/infer.js";
import { bytesData } from "../protocol/messages.js";
import { floats } from "./files.js";

const fp32 = (name: string, ...values: number[]): InferTensor => ({
  name,
  datatype: "FP32",
  shape: [values.length],
  parameters: {},
  data: floats(...values),
});

const texts = (name: string, ...values: string[]): InferTensor => ({
  name,
  datatype: "BYTES",
  shape: [values.length],
  parameters: {},
  data: bytesData(values.map((value) => Buffer.from(value))),
});

function report(
  primary: InferTensor[],
  candidate: InferTensor[],
  output: unknown = { rule: "numpy" },
): Report {
  const answer = { modelName: "", modelVersion: "" };
  const policy = parsePolicy({ outputs: { "*": output } });
  const comparison = compareAnswers(
    { ...answer, parameters: {}, outputs: primary },
    { ...answer, parameters: { seed: 1 }, outputs: candidate },
    policy,
    0,
    plainKernel,
  );
  return reportOf(comparison, { left: "left.npz", right: "right.npz" }, policy.outputs["*"]!);
}

const hostile = "<script>alert('x')</script>\x1b[31m\u202e\u200b\0\n";

test("a report in the terminal", () => {
  const text = diffText(
    report(
      [fp32("same", 1), fp32("scores", 0.1, -2, NaN), fp32("gone", 1), texts("label", "cat", "")],
      [fp32("same", 1), fp32("scores", 0.125, -2, 1), texts("label", "cat", "dog")],
      { rule: "numpy", decision: { type: "argmax" } },
    ),
  );
  expect(text).toBe(
    `
mismatch in 3 of 4 outputs: right.npz against the primary's left.npz
rule numpy: an element matches when |candidate − primary| ≤ 1e-8 + 1e-5·|primary|

output                     result  datatype  shape  elements  mismatches  max abs  max rel  mean abs     RMSE      cosine
scores      mismatch (non_finite)      FP32    [3]         3    2 (67 %)    0.025     0.25    0.0125  0.01768  0.99992237
gone    mismatch (missing_output)      FP32    [1]         1   1 (100 %)        –        –         –        –           –
label            mismatch (value)     BYTES    [2]         2    1 (50 %)        –        –         –        –           –
same                        match      FP32    [1]         1           0        0        0         0        0           1

scores decides otherwise: none → 2
scores has NaN or Infinity in 1 elements of the primary and 0 of the candidate; the metrics are over the finite pairs
same decides the same: 0
response: parameters.seed added: 1

worst elements of scores
index      primary  candidate  abs error
[2]            NaN          1        NaN
[0]    0.100000001      0.125      0.025

worst elements of label
index  primary  candidate  abs error
[1]         ""      "dog"          –
`.trim(),
  );
});

test.each([
  [{ rule: "exact" }, "rule exact"],
  [
    { rule: "polygraphy" },
    "rule polygraphy: an element mismatches when its abs error > 1e-5 and its rel error > 1e-5",
  ],
  [{ rule: "numpy", rtol: 0.05, atol: 0 }, "|candidate − primary| ≤ 0 + 0.05·|primary|"],
])("the rule in words: %j", (policy, words) => {
  expect(diffText(report([fp32("a", 1)], [fp32("a", 1)], policy))).toContain(words);
});

test.each(["numpy", "polygraphy"])(
  "under %s, the tolerance that would have passed is named, and passes",
  (rule) => {
    const [primary, candidate] = [fp32("a", 1, 300), fp32("a", 1.1, 300.7)];
    const text = diffText(report([primary], [candidate], { rule }));
    const atol = Number(/^a would match with an atol of (\S+), /m.exec(text)?.[1]);
    expect(report([primary], [candidate], { rule, atol }).result).toBe("match");
    expect(report([primary], [candidate], { rule, atol: atol * 0.999 }).result).toBe("mismatch");
  },
);

test("another datatype and shape are shown side by side; what is ignored says why", () => {
  const [of, differs] = [fp32("a", 1, 2), { ...fp32("a", 1), datatype: "INT32" as const }];
  expect(diffText(report([of], [differs]))).toMatch(/mismatch \(dtype\) +FP32 → INT32 +\[2\] → \[1\]/);
  const ignored = { rule: "exact", ignore: { reason: "a \x1b known fault" } };
  const text = diffText(report([of], [fp32("a", 1, 3)], ignored));
  expect(text).toMatch(/^ignored in 1 of 1 outputs/);
  expect(text).toContain("a is ignored: a \\u{1b} known fault");
});

test("hostile names and values are only text", () => {
  const hostileReport = report([texts(hostile, hostile)], [texts(hostile, "")]);
  const text = diffText(hostileReport);
  const page = reportHtml(hostileReport);
  for (const shown of [text, page]) {
    expect(shown.replaceAll("\n", "")).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    expect(shown).toContain("\\u{1b}[31m\\u{202e}\\u{200b}\\u{0}\\u{a}");
  }
  expect(page).toContain("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;");
  expect(page).not.toMatch(/<script|\ssrc=|\shref=|https?:/);
});

test("of thousands of outputs those that mismatch come first, and the rest are counted", () => {
  const outputs = Array.from({ length: 3000 }, (_, i) => fp32(`o${i}`, i));
  const changed = outputs.map((output, i) => (i === 2999 ? fp32("o2999", 1) : output));
  const many = report(outputs, changed);
  expect(diffText(many)).toMatch(/cosine\no2999 /);
  expect(diffText(many)).toContain("… and 2900 more");
  expect(reportHtml(many)).toContain("… and 2000 more");
  expect(many.outputs).toHaveLength(3000);
});
