import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { expect, test } from "vitest";
import { worstMax } from "../../src/compare/kernel.js";
import { differencesMax, differencesOf, isSameJson } from "../../src/compare/structure.js";
import { compareTexts, type TextMeasurement } from "../../src/compare/texts.js";
import { packageRoot } from "../../src/paths.js";
import { parseJson } from "../../src/protocol/json.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { bytesElements } from "../../src/tensor/view.js";
import { tensor } from "./tensors.js";

/** The plain way: every element cut out, every pair looked at. */
function plainly(primary: Tensor, candidate: Tensor, asJson: boolean): TextMeasurement {
  const [expected, actual] = [primary, candidate].map((side) =>
    bytesElements(side).map((e) => Buffer.from(e)),
  );
  const parsed = (bytes: Buffer) => {
    try {
      return { value: parseJson(bytes) };
    } catch {
      return null;
    }
  };
  const pairs = expected!.map((element, index) => {
    const [left, right] = [parsed(element), parsed(actual![index]!)];
    const documents = asJson && left && right ? ([left.value, right.value] as const) : null;
    const isSame = element.equals(actual![index]!) || (documents !== null && isSameJson(...documents));
    return { index, documents, isSame };
  });
  const mismatches = pairs.filter(({ isSame }) => !isSame);
  return {
    mismatches: mismatches.length,
    worst: mismatches.slice(0, worstMax).map(({ index }) => index),
    differences: mismatches
      .flatMap(({ index, documents }) => {
        if (documents === null) return [];
        const found = differencesOf(...documents);
        if (pairs.length === 1) return found;
        return found.map((one) => ({
          ...one,
          path: `[${index}]${/^($|\[)/.test(one.path) ? "" : "."}${one.path}`,
        }));
      })
      .slice(0, differencesMax),
  };
}

/** Few of each, so that elements often agree, and often only as JSON. */
const element = fc.oneof(
  {
    arbitrary: fc.constantFrom("", "1", "1.0", " 1", "1e0", '{"a":1}', '{ "a" : 2 }', "[1,2]", "{", "ä"),
    weight: 4,
  },
  { arbitrary: fc.uint8Array({ maxLength: 5 }), weight: 1 },
);

test("the same as the plain way, whatever the elements", () => {
  const agreeing = fc.record({ left: element, right: fc.option(element, { freq: 2 }) });
  fc.assert(
    fc.property(
      fc.array(agreeing, { maxLength: 40 }),
      fc.boolean(),
      fc.nat({ max: 7 }),
      fc.nat({ max: 7 }),
      (pairs, asJson, offset, otherOffset) => {
        const primary = tensor(
          "BYTES",
          pairs.map(({ left }) => left),
          { offset },
        );
        const candidate = tensor(
          "BYTES",
          pairs.map(({ left, right }) => right ?? left),
          { offset: otherOffset },
        );
        expect(compareTexts(primary, candidate, asJson)).toEqual(plainly(primary, candidate, asJson));
      },
    ),
    { numRuns: 500 },
  );
});

test("data of equal bytes but other borders are different elements", () => {
  const [left, right] = [tensor("BYTES", ["\x01\0\0\0", ""]), tensor("BYTES", ["", "\x01\0\0\0"])];
  expect(compareTexts(left, right, false)).toMatchObject({ mismatches: 2, worst: [0, 1] });
});

/** Judges in a thread of its own: for one that needs more memory it is over. */
const thread = `
  const { workerData, parentPort } = require("node:worker_threads");
  const count = workerData.elements;
  const filled = (character) => {
    const data = Buffer.alloc(5 * count, character);
    for (let i = 0; i < count; i++) data.writeUInt32LE(1, 5 * i);
    return { name: "y", datatype: "BYTES", shape: [count, 1], data };
  };
  Promise.all(workerData.modules.map((module) => import(module))).then(([texts, classification]) => {
    const [primary, candidate] = [filled("1"), filled("2")];
    const { mismatches } = texts.compareTexts(primary, candidate, workerData.asJson);
    const { rows } = classification.classificationDecider(primary, candidate, { k: 1 });
    parentPort.postMessage({ mismatches, rows });
  });`;

test.each([false, true])(
  "millions of tiny elements need no memory of their own (as JSON: %s)",
  async (asJson) => {
    const elements = 1_500_000;
    const modules = ["texts.js", "classification.js"].map(
      (name) => pathToFileURL(join(packageRoot, "dist/src/compare", name)).href,
    );
    const worker = new Worker(thread, {
      eval: true,
      workerData: { elements, asJson, modules },
      resourceLimits: { maxOldGenerationSizeMb: 48 },
    });
    const said = await new Promise((resolve, reject) =>
      worker.once("message", resolve).once("error", reject),
    );
    await worker.terminate();
    expect(said).toEqual({ mismatches: elements, rows: elements });
  },
);
