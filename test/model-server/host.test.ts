import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { hostOnnxModel } from "../../src/model-server/host.js";
import { cliMain } from "../../src/paths.js";
import { eventually } from "../support/product.js";
import { configOf, digitsDir, errorOf, modelsDir, post, silent } from "./server.js";

const zeros = {
  inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], data: new Array(64).fill(0) }],
};

/** Processes whose command line has all of these words. */
function processesWith(...words: string[]): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        return words.every((word) => command.includes(word));
      } catch {
        return false;
      }
    });
}

test("a hosted model answers, comes back at the same address when its server is killed, and ends without a trace", async () => {
  const name = `hosted-${process.pid}`;
  const model = await hostOnnxModel({ config: configOf(digitsDir), log: silent, name, path: "int8.onnx" });
  const infer = () =>
    post(`${model.endpoint.url}/v2/models/${name}/infer`, zeros).then(
      (response) => response.status,
      () => null,
    );
  expect(model.endpoint).toMatchObject({ model: name, version: null, headers: {} });
  const metadata = (await (await fetch(`${model.endpoint.url}/v2/models/${name}`)).json()) as {
    parameters: { sha256: string };
  };
  expect(metadata.parameters.sha256).toBe(model.sha256);
  expect(await infer()).toBe(200);

  const [server, ...others] = processesWith("model-server", `${name}=`);
  expect([typeof server, others]).toEqual(["number", []]);
  process.kill(server!, "SIGKILL");
  await eventually(infer, (status) => status === null);
  await eventually(infer, (status) => status === 200);
  expect(processesWith("model-server", `${name}=`)).not.toContain(server);

  await model.close();
  expect(processesWith("model-server", `${name}=`)).toEqual([]);
});

test.each([
  { path: "nobody.onnx", says: /cannot be found/ },
  { path: "../models/../../../package.json", says: /outside/ },
  { path: "external.onnx", says: /external data/ },
  { path: "bfloat16.onnx", says: /bfloat16/ },
])("hosting $path names what is wrong", async ({ path, says }) => {
  const hosted = hostOnnxModel({ config: configOf(modelsDir), log: silent, name: "m", path });
  expect(await errorOf(hosted)).toMatchObject({
    code: "model_invalid",
    message: expect.stringMatching(says),
  });
});

describe("understudy model-server", () => {
  const run = promisify(execFile);
  const command = (...args: string[]) =>
    run(process.execPath, [cliMain, "model-server", ...args], {
      env: { PATH: process.env.PATH, UNDERSTUDY_MODELS_DIR: digitsDir, UNDERSTUDY_LOG_LEVEL: "error" },
    });

  test("--check prints what the models are, and nothing else on stdout", async () => {
    const { stdout } = await command(
      "--model",
      "a=primary.onnx",
      "--model",
      "b=int8.onnx,device=cpu",
      "--check",
    );
    expect(JSON.parse(stdout)).toMatchObject([
      { name: "a", parameters: { execution_provider: "cpu" } },
      { name: "b", inputs: [{ name: "image", datatype: "FP32", shape: [-1, 1, 8, 8] }] },
    ]);
  });

  test.each([
    { args: ["--model", "a=nobody.onnx"], says: /cannot be found[\s\S]*UNDERSTUDY_MODELS_DIR/ },
    { args: ["--model", "a=README.md"], says: /not ONNX/ },
    { args: ["--model", "a=primary.onnx", "--require", "tensorrt"], says: /tensorrt[\s\S]*npm rebuild/ },
    { args: ["--model", "a=primary.onnx,device=abacus"], says: /device must be one of/ },
    { args: ["--model", "a=primary.onnx,sha256=12"], says: /64 hexadecimal digits/ },
    { args: ["--model", "primary.onnx"], says: /NAME=PATH/ },
    { args: ["--model", "a/b=primary.onnx"], says: /letters, digits/ },
    { args: ["--model", "a=primary.onnx", "--require", "abacus"], says: /Allowed choices/ },
    { args: ["--model", "a=primary.onnx", "--port", "99999"], says: /port/ },
    { args: [], says: /--model/ },
  ])("$args exits with 2", async ({ args, says }) => {
    const error = await errorOf(command(...args));
    expect(error).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(says) });
  });
});
