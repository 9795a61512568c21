import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { beforeAll, describe, expect, test } from "vitest";
import { digitsDir } from "./server.js";

type Outputs = Record<string, Float32Array>;
interface Rule {
  rule: string;
  atol: number;
  rtol: number;
}

const digits = readFileSync(join(digitsDir, "digits.bin"));
const count = digits.length / 65;
const policy = JSON.parse(readFileSync(join(digitsDir, "policy.json"), "utf8")) as {
  outputs: Record<string, Rule>;
};

/** One request for each image, as the demo asks. */
async function answersOf(name: string): Promise<Outputs[]> {
  const session = await InferenceSession.create(readFileSync(join(digitsDir, `${name}.onnx`)), {
    executionProviders: ["cpu"],
    intraOpNumThreads: 1,
  });
  const answers: Outputs[] = [];
  for (let index = 0; index < count; index++) {
    const pixels = Float32Array.from(digits.subarray(index * 65, index * 65 + 64));
    const outputs = await session.run({ image: new Tensor("float32", pixels, [1, 1, 8, 8]) });
    const arrays = Object.entries(outputs).map(([output, { data }]) => [output, data as Float32Array]);
    answers.push(Object.fromEntries(arrays) as Outputs);
  }
  await session.release();
  return answers;
}

function mismatches(primary: Outputs, candidate: Outputs): boolean {
  return Object.entries(policy.outputs).some(([output, { atol, rtol }]) =>
    primary[output]!.some(
      (value, index) => !(Math.abs(candidate[output]![index]! - value) <= atol + rtol * Math.abs(value)),
    ),
  );
}

const classOf = ({ logits }: Outputs) => logits!.indexOf(Math.max(...logits!));

describe("the demo's models, with onnxruntime-node", () => {
  let primary: Outputs[];
  beforeAll(async () => {
    primary = await answersOf("primary");
  });

  test("1,797 digits, all within their ranges", () => {
    expect(count).toBe(1797);
    const records = Array.from({ length: count }, (_, index) => digits.subarray(index * 65, index * 65 + 65));
    expect(records.every((record) => record.subarray(0, 64).every((pixel) => pixel <= 16))).toBe(true);
    expect(new Set(records.map((record) => record[64]))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  });

  test("the primary reads most digits", () => {
    const right = primary.filter((answer, index) => classOf(answer) === digits[index * 65 + 64]).length;
    expect(right / count).toBeGreaterThan(0.93);
  });

  test.each([
    { name: "int8", least: 0.005, most: 0.03, flips: 1 },
    { name: "regressed", least: 0.3, most: 1, flips: 500 },
  ])("$name mismatches in $least to $most of all requests", async ({ name, least, most, flips }) => {
    const candidate = await answersOf(name);
    const mismatching = primary.filter((answer, index) => mismatches(answer, candidate[index]!)).length;
    const flipped = primary.filter((answer, index) => classOf(answer) !== classOf(candidate[index]!)).length;
    expect(mismatching / count).toBeGreaterThanOrEqual(least);
    expect(mismatching / count).toBeLessThanOrEqual(most);
    expect(flipped).toBeGreaterThanOrEqual(flips);
  });
});
