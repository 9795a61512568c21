import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decide } from "../../src/compare/decision.js";
import type { BoxesPolicy } from "../../src/compare/decision-policy.js";
import { tensor } from "./tensors.js";

const corners: BoxesPolicy = { type: "boxes", iou: 0.5, format: "xyxy" };
type Row = readonly number[];

function decided(
  policy: BoxesPolicy,
  before: readonly Row[],
  after: readonly Row[],
  columns = 4,
  lead: number[] = [],
) {
  const of = (rows: readonly Row[]) =>
    tensor("FP32", rows.flat(), { shape: [...lead, rows.length, columns] });
  return decide(of(before), of(after), policy);
}

const a: Row = [0, 0, 10, 10];
const b: Row = [20, 20, 30, 40];
const shift = (box: Row, by: number): Row => box.map((x, i) => (i < 4 ? x + by : x));

describe("boxes", () => {
  test.each<[string, BoxesPolicy, Row[], Row[], string, string]>([
    ["none", corners, [], [], "0 boxes", "0 boxes"],
    ["the same", corners, [a, b], [a, b], "2 boxes", "2 boxes"],
    ["in another order", corners, [a, b], [b, a], "2 boxes", "2 boxes"],
    ["a little off", corners, [a], [shift(a, 1)], "1 box", "1 box"],
    ["too far off", corners, [a], [shift(a, 5)], "1 box", "1 box: 0 matched, 1 missing, 1 extra"],
    ["one more", corners, [a], [a, b], "1 box", "2 boxes: 1 matched, 0 missing, 1 extra"],
    ["one less", corners, [a, b], [a], "2 boxes", "1 box: 1 matched, 1 missing, 0 extra"],
    ["all gone", corners, [a, b], [], "2 boxes", "0 boxes: 0 matched, 2 missing, 0 extra"],
    // Overlap 5·10 of 150.
    ["exactly at the limit", { ...corners, iou: 1 / 3 }, [a], [[5, 0, 15, 10]], "1 box", "1 box"],
    [
      "below the limit",
      { ...corners, iou: 0.34 },
      [a],
      [[5, 0, 15, 10]],
      "1 box",
      "1 box: 0 matched, 1 missing, 1 extra",
    ],
    [
      "the same, at 1",
      { ...corners, iou: 1 },
      [[0.1, 0.2, 0.7, 1.3]],
      [[0.1, 0.2, 0.7, 1.3]],
      "1 box",
      "1 box",
    ],
    [
      "touching",
      { ...corners, iou: 0.01 },
      [a],
      [[10, 0, 20, 10]],
      "1 box",
      "1 box: 0 matched, 1 missing, 1 extra",
    ],
    ["one for two", corners, [a, a], [a], "2 boxes", "1 box: 1 matched, 1 missing, 0 extra"],
    [
      "a corner and a size",
      { ...corners, format: "xywh" },
      [[0, 0, 10, 10]],
      [[1, 1, 10, 10]],
      "1 box",
      "1 box",
    ],
    // As corners these would be no boxes.
    [
      "a corner and a size, small",
      { ...corners, format: "xywh" },
      [[50, 50, 10, 10]],
      [[50, 50, 10, 10]],
      "1 box",
      "1 box",
    ],
    [
      "a centre and a size",
      { ...corners, format: "cxcywh" },
      [[5, 5, 10, 10]],
      [[5, 5, 10, 20]],
      "1 box",
      "1 box",
    ],
    ["without width", corners, [a, [3, 3, 3, 9]], [a], "1 box", "1 box"],
    ["filled up with zeros", corners, [a, [0, 0, 0, 0]], [a, [0, 0, 0, 0]], "1 box", "1 box"],
    ["NaN", corners, [a], [[NaN, 0, 10, 10]], "1 box", "0 boxes: 0 matched, 1 missing, 0 extra"],
    ["infinite", corners, [a], [[0, 0, Infinity, 10]], "1 box", "0 boxes: 0 matched, 1 missing, 0 extra"],
  ])("%s", (_, policy, before, after, from, to) => {
    expect(decided(policy, before, after)).toMatchObject({ from, to, flip: from !== to });
  });

  const scored: BoxesPolicy = { ...corners, scores: 4, classes: 5 };
  test.each<[string, BoxesPolicy, Row[], Row[], string, string]>([
    ["another score", scored, [[...a, 0.9, 1]], [[...a, 0.1, 1]], "1 box", "1 box"],
    ["no score", scored, [[...a, 0.9, 1]], [[...a, 0, 1]], "1 box", "0 boxes: 0 matched, 1 missing, 0 extra"],
    [
      "NaN for a score",
      scored,
      [[...a, 0.9, 1]],
      [[...a, NaN, 1]],
      "1 box",
      "0 boxes: 0 matched, 1 missing, 0 extra",
    ],
    [
      "a score too low",
      { ...scored, scoreMin: 0.5 },
      [[...a, 0.5, 1]],
      [[...a, 0.49, 1]],
      "1 box",
      "0 boxes: 0 matched, 1 missing, 0 extra",
    ],
    [
      "another class",
      scored,
      [[...a, 0.9, 1]],
      [[...a, 0.9, 2]],
      "1 box",
      "1 box: 0 matched, 1 missing, 1 extra",
    ],
    [
      "two classes in one place",
      scored,
      [
        [...a, 0.9, 1],
        [...a, 0.8, 2],
      ],
      [
        [...a, 0.9, 2],
        [...a, 0.8, 1],
      ],
      "2 boxes",
      "2 boxes",
    ],
    ["NaN for a class", scored, [[...a, 0.9, NaN]], [[...a, 0.9, NaN]], "0 boxes", "0 boxes"],
  ])("with %s", (_, policy, before, after, from, to) => {
    expect(decided(policy, before, after, 6)).toMatchObject({ from, to, flip: from !== to });
  });

  test("too large or too small to be reckoned with are none", () => {
    for (const size of [1e160, 1e-170]) {
      const output = tensor("FP64", [0, 0, size, size], { shape: [1, 4] });
      expect(decide(output, output, corners)).toMatchObject({ from: "0 boxes", to: "0 boxes" });
    }
    const large = tensor("FP64", [0, 0, 1e150, 1e150], { shape: [1, 4] });
    expect(decide(large, large, corners)).toMatchObject({ from: "1 box", to: "1 box" });
  });

  test("image by image", () => {
    const [before, after] = [
      [a, b, a, a],
      [b, a, a, b],
    ];
    const of = (rows: Row[]) => tensor("FP16", rows.flat().map(half), { shape: [2, 2, 4] });
    expect(decide(of(before), of(after), corners)).toEqual({
      from: "1:2 boxes",
      to: "1:2 boxes: 1 matched, 1 missing, 1 extra",
      flip: true,
      changes: [{ from: "2 boxes", to: "2 boxes: 1 matched, 1 missing, 1 extra", count: 1 }],
    });
  });

  test.each([
    ["text", tensor("BYTES", ["a", "b", "c", "d"], { shape: [1, 4] }), corners],
    ["too few columns", tensor("FP32", [1, 2, 3], { shape: [1, 3] }), corners],
    ["no column for the score", tensor("FP32", [0, 0, 1, 1], { shape: [1, 4] }), { ...corners, scores: 4 }],
    ["one axis", tensor("FP32", [0, 0, 1, 1]), corners],
    ["a scalar", tensor("FP32", [0], { shape: [] }), corners],
    ["no images", tensor("FP32", [], { shape: [0, 3, 4] }), corners],
  ])("%s: nothing to decide from", (_, output, policy) => {
    expect(decide(output, output, policy)).toBeNull();
  });

  test("of other columns or other images decide nothing", () => {
    const one = tensor("FP32", [...a], { shape: [1, 1, 4] });
    expect(decide(one, tensor("FP32", [...a, 1], { shape: [1, 1, 5] }), corners)).toBeNull();
    expect(decide(one, tensor("FP32", [...a, ...a], { shape: [2, 1, 4] }), corners)).toBeNull();
    expect(decide(one, tensor("FP32", [...a], { shape: [1, 4] }), corners)).toBeNull();
  });

  test("more than 500 are cut to those with the highest scores", () => {
    const rows = Array.from({ length: 600 }, (_, i) => [i * 20, 0, i * 20 + 10, 10, i < 100 ? 0.1 : 0.9]);
    const others = rows.map((row, i) => (i < 100 ? row.with(1, -5000) : row));
    const policy = { ...corners, scores: 4 };
    expect(decided(policy, rows, others, 5)).toMatchObject({ from: "500 boxes", flip: false });
    expect(
      decided(
        policy,
        rows,
        rows.map((row) => row.with(1, -5000)),
        5,
      ),
    ).toMatchObject({ flip: true });
  });

  test("no box goes with two, and none that could is left over", () => {
    const side = fc.array(
      fc.tuple(fc.nat(20), fc.nat(20), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 })),
      { maxLength: 8 },
    );
    const iouOf = ([x, y, w, h]: Row, [p, q, v, u]: Row) => {
      let shared = 0;
      for (let i = 0; i < 40; i++)
        for (let j = 0; j < 40; j++) {
          const inside = (l: number, t: number, r: number, d: number) =>
            i >= l && i < l + r && j >= t && j < t + d;
          if (inside(x!, y!, w!, h!) && inside(p!, q!, v!, u!)) shared++;
        }
      return shared / (w! * h! + v! * u! - shared);
    };
    fc.assert(
      fc.property(side, side, fc.constantFrom(0.1, 0.5, 0.9), (before, after, iou) => {
        // The naive way: again and again the best pair that is left.
        const [left, right] = [[...before], [...after]];
        let matched = 0;
        for (;;) {
          const pairs = left.flatMap((one, i) => right.map((other, j) => ({ i, j, iou: iouOf(one, other) })));
          const best = pairs.reduce((most, pair) => (pair.iou > most.iou ? pair : most), {
            i: -1,
            j: -1,
            iou: -1,
          });
          if (best.iou < iou) break;
          left.splice(best.i, 1);
          right.splice(best.j, 1);
          matched++;
        }
        const { to } = decided({ ...corners, format: "xywh", iou }, before, after)!;
        const told = /(\d+) matched/.exec(to);
        expect(told === null ? before.length : Number(told[1])).toBe(matched);
      }),
      { numRuns: 50 },
    );
  });
});

/** Bits of a half float, for whole numbers up to 2048. */
function half(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(value));
  return ((exponent + 15) << 10) | ((value / 2 ** exponent - 1) * 1024);
}
