import fc from "fast-check";
import { expect, test } from "vitest";
import { factsOf } from "../../src/compare/facts.js";
import { judge } from "../../src/compare/judge.js";
import { parsePolicy } from "../../src/compare/policy.js";
import { elementBytes, elementCount } from "../../src/tensor/dtype.js";
import { type Datatype, datatypes, type Tensor } from "../../src/tensor/tensor.js";
import { answered } from "./tensors.js";

const toleranced = ["numpy", "polygraphy"].flatMap((rule) =>
  ["elementwise", "max", "mean", "median", "quantile"].map((statistic) => ({ rule, statistic })),
);
const castable: object[] = [...toleranced, { rule: "exact" }, { rule: "ulp" }, { rule: "cosine" }];
const rule = fc.oneof(
  fc
    .tuple(fc.constantFrom(...castable), fc.constantFrom(true, false, [...datatypes]))
    .map(([one, cast]) => ({ ...one, cast })),
  fc.constantFrom({ rule: "bytes" }, { rule: "json" }),
);
const decision = fc.constantFrom(
  undefined,
  { type: "argmax" },
  { type: "topk", k: 2 },
  { type: "topk", k: 9, ordered: true },
  { type: "threshold", value: 0.5 },
  { type: "classification", k: 2 },
  { type: "classification", ordered: true },
  { type: "boxes" },
  { type: "boxes", format: "cxcywh", scores: 4, classes: 5 },
);

/** A datatype's favourites now and then: NaN, infinities, −0 and subnormals are not found by chance. */
const special = [0x7fc00000, 0x7f800000, 0xff800000, 0x80000000, 1, 0x3f800000];
const shape = fc.oneof(
  fc.constantFrom([], [0], [1], [4], [0, 4], [3, 0], [2, 6], [1, 3, 6], [2, 0, 4], [2, 2, 4]),
  fc.array(fc.nat(4), { maxLength: 4 }),
);
const texts = fc.array(fc.constantFrom("0.9:3:cat", "0.1:5", "nan:1", "", "{}", '{"a":1}', "ÿ:"));

function data(
  datatype: Datatype,
  dimensions: readonly number[],
  words: readonly number[],
  pieces: readonly string[],
) {
  const count = elementCount(dimensions);
  const bytes = elementBytes(datatype);
  if (bytes === null) {
    return Buffer.concat(
      Array.from({ length: count }, (_, i) => {
        const text = Buffer.from(pieces[i % Math.max(1, pieces.length)] ?? "");
        return Buffer.concat([Buffer.from(Uint32Array.of(text.length).buffer), text]);
      }),
    );
  }
  const source = Buffer.from(Uint32Array.from(words).buffer);
  return Buffer.from(Array.from({ length: count * bytes }, (_, i) => source[i % source.length]!));
}

const output = fc
  .tuple(
    fc.constantFrom(...datatypes),
    shape,
    fc.array(fc.oneof(fc.constantFrom(...special), fc.nat(2 ** 32 - 1)), { minLength: 1, maxLength: 12 }),
    texts,
  )
  .map(([datatype, dimensions, words, pieces]): Tensor => {
    return { name: "y", datatype, shape: dimensions, data: data(datatype, dimensions, words, pieces) };
  });

/** Half of the pairs are alike in form, and so get past the first checks. */
const pair = fc.oneof(
  fc.tuple(output, output),
  fc.tuple(output, output).map(([p, c]): [Tensor, Tensor] => {
    const isText = p.datatype === "BYTES" || c.datatype === "BYTES";
    const words =
      isText || c.data.length < 4
        ? [7]
        : [...new Uint32Array(Uint8Array.from(c.data).buffer.slice(0, c.data.length & ~3))];
    const datatype = p.datatype === "BYTES" || c.datatype === "BYTES" ? p.datatype : c.datatype;
    return [p, { ...p, datatype, data: data(datatype, p.shape, words, ["0.5:1:x", "1:2"]) }];
  }),
);

test("every policy judges any two outputs, and an output matches itself unless NaN stands in it", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(pair, rule, decision, ([primary, candidate], ruled, decided) => {
      const policy = parsePolicy({ outputs: { "*": { ...ruled, ...(decided && { decision: decided }) } } });
      const comparison = judge(answered([primary]), answered([candidate]), policy, 0);
      const [judged] = comparison.outputs;
      seen.add(comparison.kind ?? "match");
      expect(comparison.result).toBe(comparison.kind === null ? "match" : "mismatch");
      expect(judged!.mismatches).toBeLessThanOrEqual(judged!.elements);
      expect(
        judged!.decision === null ||
          judged!.decision.flip === (judged!.decision.from !== judged!.decision.to),
      ).toBe(true);
      for (const fact of factsOf(comparison, context)) {
        if ("label" in fact) expect(fact.label.length).toBeLessThanOrEqual(64);
        else expect(Math.abs(fact.bucket)).toBeLessThanOrEqual(40_000);
      }

      const itself = judge(answered([primary]), answered([primary]), policy, 0);
      expect([null, "non_finite"]).toContain(itself.kind);
      expect(itself.flip ?? false).toBe(false);
    }),
    { numRuns: 3000 },
  );
  expect([...seen].sort()).toEqual(["dtype", "match", "non_finite", "shape", "value"]);
});

const context = {
  sample: "base",
  disposition: "compared",
  reason: null,
  primaryMs: 1,
  candidateMs: 1,
  controlMs: null,
} as const;
