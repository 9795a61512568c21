import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cliMain } from "../../src/paths.js";
import { encodeInferResponse } from "../../src/protocol/infer.js";
import { floats, npy, zip } from "../offline/files.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "understudy-diff-"));
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const answer = (name: string, ...values: number[]) => ({
  modelName: "m",
  modelVersion: "1",
  parameters: {},
  outputs: [
    { name, datatype: "FP32" as const, shape: [values.length], parameters: {}, data: floats(...values) },
  ],
});
const v2 = (binary: boolean, name: string, ...values: number[]) =>
  encodeInferResponse(answer(name, ...values), { binary: () => binary });
const array = (...values: number[]) => npy("<f4", [values.length], floats(...values));
const binary = v2(true, "scores", 1, 2);

const files: Record<string, Buffer | string> = {
  "a.npy": array(1, 2),
  "near.npy": array(1, 2.001),
  "nan.npy": array(1, NaN),
  "int.npy": npy("<i4", [2], floats(1, 2)),
  "matrix.npy": npy("<f4", [2, 1], floats(1, 2)),
  "empty.npy": npy("<f4", [0, 3], floats()),
  "objects.npy": npy("|O", [0], floats()),
  "cut.npy": array(1, 2).subarray(0, -1),
  "one.npz": zip([{ name: "scores.npy", data: array(1, 2), deflated: true }]),
  "two.npz": zip([
    { name: "scores.npy", data: array(1, 2) },
    { name: "other.npy", data: array(1) },
  ]),
  "none.npz": zip([]),
  "a.json": v2(false, "scores", 1, 2).body,
  "a.bin": binary.body,
  "error.json": '{"error":"no such model"}',
  void: "",
  "text.txt": "hello",
  "equal-nan.json": '{"outputs":{"*":{"rule":"exact","equalNan":true}}}',
  "ignore.json": '{"outputs":{"*":{"rule":"exact","ignore":{"reason":"known"}}}}',
  "wrong.json": '{"outputs": {\n  "*": {\n    "rule": "numpy",\n    "atol":   -1\n}}}',
};

interface Said {
  code: number;
  stdout: string;
  stderr: string;
}

function diff(...args: string[]): Promise<Said> {
  return new Promise((resolve) => {
    execFile(process.execPath, [cliMain, "diff", ...args], { cwd: folder }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

test.each<[args: string, code: 0 | 1, result: string, outputs: string[]]>([
  ["a.npy a.npy", 0, "match", ["data"]],
  ["a.npy near.npy", 1, "mismatch", ["data: value"]],
  ["a.npy near.npy --rtol 1e-3", 0, "match", ["data"]],
  ["a.npy near.npy --rtol 0 --atol 0.01", 0, "match", ["data"]],
  ["a.npy near.npy --rule polygraphy --rtol 1e-3 --atol 0", 0, "match", ["data"]],
  ["a.npy near.npy --rule exact", 1, "mismatch", ["data: value"]],
  ["nan.npy nan.npy", 1, "mismatch", ["data: non_finite"]],
  ["nan.npy nan.npy --policy equal-nan.json", 0, "match", ["data"]],
  ["a.npy int.npy", 1, "mismatch", ["data: dtype"]],
  ["a.npy matrix.npy", 1, "mismatch", ["data: shape"]],
  ["empty.npy empty.npy", 0, "match", ["data"]],
  ["empty.npy a.npy", 1, "mismatch", ["data: shape"]],
  ["a.npy one.npz", 0, "match", ["scores"]],
  ["a.bin a.npy", 0, "match", ["scores"]],
  ["a.json a.bin", 0, "match", ["scores"]],
  [`a.bin a.bin --header-length ${binary.headerLength}`, 0, "match", ["scores"]],
  [`a.npy a.bin --header-length 7,${binary.headerLength}`, 0, "match", ["scores"]],
  ["one.npz two.npz", 1, "mismatch", ["scores", "other: extra_output"]],
  ["two.npz one.npz", 1, "mismatch", ["scores", "other: missing_output"]],
  ["two.npz none.npz --output scores", 1, "mismatch", ["scores: missing_output"]],
  ["two.npz one.npz --output scores", 0, "match", ["scores"]],
  ["two.npz a.npy --output scores", 0, "match", ["scores"]],
])("diff %s ends with %d", async (args, code, result, outputs) => {
  const said = await diff(...args.split(" "), "--json");
  expect(said).toMatchObject({ code, stderr: "" });
  const report = JSON.parse(said.stdout);
  const kinds = report.outputs.map(({ name, kind }: { name: string; kind: string | null }) =>
    kind === null ? name : `${name}: ${kind}`,
  );
  expect({ result: report.result, outputs: kinds }).toEqual({ result, outputs });
});

test.each<[args: string, message: string]>([
  ["", "missing required argument 'left'"],
  ["a.npy", "missing required argument 'right'"],
  ["a.npy a.npy a.npy", "too many arguments"],
  ["a.npy a.npy --tolerance 1", "unknown option '--tolerance'"],
  ["a.npy a.npy --rule close", "Allowed choices are numpy, polygraphy, exact"],
  ["a.npy a.npy --rtol x", "must be a finite number, 0 or more"],
  ["a.npy a.npy --rtol=-1", "must be a finite number, 0 or more"],
  ["a.npy a.npy --atol Infinity", "must be a finite number, 0 or more"],
  ["a.npy a.npy --rule exact --rtol 1", "The rule exact has no tolerances"],
  ["a.npy a.npy --rule exact --atol 0", "The rule exact has no tolerances"],
  ["a.npy a.npy --policy equal-nan.json --rtol 1", "cannot be used with option '--rtol"],
  ["a.npy a.npy --policy missing.json", "missing.json cannot be read as a policy: ENOENT"],
  [
    "a.npy a.npy --policy wrong.json",
    "wrong.json: The policy is not valid: line 4, column 15: outputs.*.atol: must be 0 or more",
  ],
  ["a.npy a.npy --policy text.txt", "text.txt: The policy is not valid: line 1, column 1: "],
  ["a.npy a.npy --header-length 1,2,3", "must be a length in bytes"],
  ["a.npy a.npy --html no/such/folder.html", "cannot be written"],
  ["missing.npy a.npy", "missing.npy: ENOENT"],
  ["a.npy .", ".: is not a regular file"],
  ["a.npy void", "void: is empty"],
  ["text.txt a.npy", "text.txt: is neither .npy nor .npz nor a V2 response"],
  ["cut.npy a.npy", "cut.npy: must have 8 bytes of data for dtype <f4 of shape [2], found 7"],
  ["a.npy objects.npy", "objects.npy: holds pickled Python objects, which are never loaded"],
  ["error.json a.json", 'error.json: "outputs" must be an array'],
  ["a.bin a.bin --header-length 3", "a.bin: not JSON"],
  ["none.npz none.npz", "Neither file holds an output"],
  ["two.npz one.npz --output nothing", "Neither file has an output nothing.\nThey have: scores, other."],
])("diff %s cannot compare", async (args, message) => {
  const said = await diff(...args.split(" ").filter(Boolean), "--json");
  expect(said).toMatchObject({ code: 2, stdout: "" });
  expect(said.stderr).toContain(message);
  expect(said.stderr).not.toMatch(/^ +at /m);
});

test("what the policy ignores is reported, but does not pass", async () => {
  const said = await diff("a.npy", "near.npy", "--policy", "ignore.json", "--json");
  expect(said.code).toBe(2);
  expect(said.stderr).toContain("nothing was judged");
  expect(JSON.parse(said.stdout)).toMatchObject({ result: "ignored", rule: null, rtol: null, atol: null });
});

test("JSON carries the whole report, non-finite numbers as strings", async () => {
  const { stdout } = await diff("a.npy", "nan.npy", "--rtol", "0.5", "--json");
  expect(JSON.parse(stdout)).toMatchObject({
    result: "mismatch",
    left: "a.npy",
    right: "nan.npy",
    rule: "numpy",
    rtol: 0.5,
    atol: 1e-8,
    outputs: [
      {
        name: "data",
        result: "mismatch",
        kind: "non_finite",
        datatype: "FP32",
        shape: [2],
        elements: 2,
        mismatches: 1,
        maxAbs: 0,
        maxRel: 0,
        meanAbs: 0,
        rmse: 0,
        cosine: 1,
        worst: [{ index: [1], primary: 2, candidate: "NaN", absError: "NaN" }],
      },
    ],
  });
});

test("--html writes a page, and the terminal still has its table", async () => {
  const { code, stdout } = await diff("a.npy", "near.npy", "--html", "report.html");
  expect(code).toBe(1);
  expect(stdout).toMatch(/^mismatch in 1 of 1 outputs: near.npy against the primary's a.npy\n/);
  expect(stdout).toContain("worst elements of data");
  const page = await readFile(join(folder, "report.html"), "utf8");
  expect(page).toMatch(/^<!doctype html>.*mismatch in 1 of 1 outputs.*Worst elements of data.*<\/html>\n$/s);
});

/** As {@link diff}, with stdout going to an open file, or to a pipe that nobody reads. */
async function diffInto(stdout: number | "closed pipe", ...args: string[]): Promise<Omit<Said, "stdout">> {
  const child = spawn(process.execPath, [cliMain, "diff", ...args], {
    cwd: folder,
    stdio: ["ignore", stdout === "closed pipe" ? "pipe" : stdout, "pipe"],
  });
  child.stdout?.destroy();
  const [[code], stderr] = await Promise.all([once(child, "exit"), child.stderr!.toArray()]);
  return { code, stderr: Buffer.concat(stderr).toString() };
}

test.each([
  ["a.npy", 0],
  ["near.npy", 1],
])("a reader that has seen enough leaves the verdict on %s as it is", async (right, code) => {
  expect(await diffInto("closed pipe", "a.npy", right)).toEqual({ code, stderr: "" });
});

test.runIf(existsSync("/dev/full"))("a report that cannot be written is no verdict", async () => {
  const full = openSync("/dev/full", "w");
  const { code, stderr } = await diffInto(full, "a.npy", "a.npy");
  closeSync(full);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^error: the output cannot be written: ENOSPC.*\n$/);
});
