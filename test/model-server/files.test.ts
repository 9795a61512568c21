import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UnderstudyError } from "../../src/errors.js";
import { describeOnnxModel } from "../../src/model-server/describe-model.js";
import { hashOfFile } from "../../src/model-server/model-file.js";
import { configOf, digitsDir, errorOf, modelsDir, silent, startServer } from "./server.js";

let folder: string;
const primary = join(digitsDir, "primary.onnx");
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "understudy-models-"));
  const inside = join(folder, "models");
  await mkdir(join(inside, "folder.onnx"), { recursive: true });
  await writeFile(join(inside, "empty.onnx"), "");
  await writeFile(join(inside, "text.onnx"), "not a model at all");
  await symlink(primary, join(inside, "link.onnx"));
  await symlink(digitsDir, join(inside, "linked"));
  await symlink(digitsDir, join(folder, "models-by-another-name"));
});
afterAll(() => rm(folder, { recursive: true }));

const describeIn = (modelsDir: string, path: string, more: { sha256?: string } = {}) =>
  describeOnnxModel({ config: configOf(modelsDir), log: silent, name: "m", path, ...more });

describe("a file that is not served", () => {
  test.each([
    { what: "no file", path: "nobody.onnx", says: /cannot be found/ },
    { what: "a folder", path: "folder.onnx", says: /is not a file/ },
    { what: "an empty file", path: "empty.onnx", says: /cannot be served/ },
    { what: "text", path: "text.onnx", says: /it is not ONNX/ },
    {
      what: "a path upwards",
      path: "../../../etc/passwd",
      says: /outside the models folder|cannot be found/,
    },
    { what: "an absolute path elsewhere", path: primary, says: /outside the models folder/ },
    { what: "a link out of the folder", path: "link.onnx", says: /outside the models folder/ },
    { what: "a linked folder", path: "linked/primary.onnx", says: /outside the models folder/ },
    { what: "the folder itself", path: ".", says: /is not a file/ },
    { what: "a NUL in the path", path: "a\0b.onnx", says: /cannot be found/ },
  ])("$what", async ({ path, says }) => {
    const error = await errorOf(describeIn(join(folder, "models"), path));
    expect(error).toBeInstanceOf(UnderstudyError);
    expect(error).toMatchObject({ code: "model_invalid", message: expect.stringMatching(says) });
    expect((error as UnderstudyError).hint).toBeTruthy();
  });

  test.each([
    { path: "bfloat16.onnx", says: /bfloat16/ },
    { path: "sequence.onnx", says: /not a tensor/ },
    { path: "external.onnx", says: /external data/ },
    { path: "external-nested.onnx", says: /external data/ },
    { path: "engine.onnx", says: /EPContext/ },
  ])("$path", async ({ path, says }) => {
    expect(await errorOf(describeIn(modelsDir, path))).toMatchObject({
      code: "model_invalid",
      message: expect.stringMatching(says),
    });
  });

  test("a models folder that is not there", async () => {
    expect(await errorOf(describeIn(join(folder, "nowhere"), "m.onnx"))).toMatchObject({
      code: "model_invalid",
      hint: expect.stringContaining("UNDERSTUDY_MODELS_DIR"),
    });
  });

  test("a file with another SHA-256", async () => {
    const sha256 = await hashOfFile(primary);
    expect(await describeIn(digitsDir, "primary.onnx", { sha256 })).toMatchObject({
      sha256,
      provider: "cpu",
    });
    const error = await errorOf(describeIn(digitsDir, "int8.onnx", { sha256 }));
    expect(error).toMatchObject({ code: "model_invalid", message: expect.stringContaining(sha256) });
  });
});

test("a models folder that is a link itself, and an absolute path through it", async () => {
  const linked = join(folder, "models-by-another-name");
  expect(await describeIn(linked, join(linked, "primary.onnx"))).toMatchObject({ provider: "cpu" });
});

describe("a server that does not start", () => {
  const digits = { name: "digits", path: "primary.onnx" };
  test.each([
    {
      what: "TensorRT required, not there",
      models: [digits],
      require: "tensorrt",
      code: "provider_unavailable",
    },
    {
      what: "a device that is not there",
      models: [{ ...digits, device: "cuda" }],
      code: "provider_unavailable",
    },
    {
      what: "device and requirement differ",
      models: [{ ...digits, device: "cpu" }],
      require: "cuda",
      code: "usage",
    },
    { what: "one name twice", models: [digits, digits], code: "usage" },
    {
      what: "the second model is invalid",
      models: [digits, { name: "x", path: "README.md" }],
      code: "model_invalid",
    },
    {
      what: "a broken model, TensorRT required",
      models: [{ name: "x", path: "README.md" }],
      require: "tensorrt",
      code: "model_invalid",
    },
  ] as const)("$what", async ({ models, code, ...more }) => {
    const error = await errorOf(startServer([...models], { modelsDir: digitsDir, ...more }));
    expect(error).toMatchObject({ code });
    if (code === "provider_unavailable") {
      expect((error as UnderstudyError).hint).toContain("ONNXRUNTIME_NODE_INSTALL");
    }
  });

  test("a port in use", async () => {
    const first = await startServer([digits], { modelsDir: digitsDir });
    const port = Number(first.ready.port);
    expect(await errorOf(startServer([digits], { modelsDir: digitsDir, port }))).toMatchObject({
      code: "port_in_use",
    });
    await first.close();
  });
});
