import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cliMain } from "../../src/paths.js";
import { noRedaction } from "../../src/redaction/settings.js";
import { openControl, openModelServer, type TestControl } from "./support.js";

const tensor = (name: string, datatype: string) => ({ name, datatype, shape: [-1] });

let control: TestControl;
let keyless: TestControl;
let primary: Awaited<ReturnType<typeof openModelServer>>;
let folder: string;
beforeAll(async () => {
  [control, keyless, primary, folder] = await Promise.all([
    openControl({ redactionKey: "a-redaction-key-of-forty-characters-or-so" }),
    openControl({ redactionKey: undefined }),
    openModelServer({
      inputs: [tensor("text", "BYTES"), tensor("id", "INT64"), tensor("x", "FP32"), tensor("half", "FP16")],
      outputs: [tensor("scores", "BF16"), tensor("flag", "BOOL")],
    }),
    mkdtemp(join(tmpdir(), "understudy-redaction-")),
  ]);
  for (const one of [control, keyless]) {
    await one.call("POST", "/deployments", { body: { name: "digits", primary: { url: primary.url } } });
  }
});
afterAll(async () => {
  await control?.close();
  await keyless?.close();
  await primary?.close();
  await rm(folder, { recursive: true, force: true });
});

const set = (to: TestControl, redaction: unknown) =>
  to.call("PATCH", "/deployments/digits", { body: { redaction } });
const rule = (target: object, action: unknown = "mask") => ({ rules: [{ target, action }] });

test("a deployment redacts nothing, until it is told; the whole is replaced, and gateways are told", async () => {
  expect((await control.call("GET", "/deployments/digits")).body.redaction).toEqual(noRedaction);
  const masked = rule({ header: "X-Request-Id" });
  const changed = await set(control, { ...masked, replayRedacted: true });
  const target = { header: "x-request-id" };
  expect(changed.body.redaction).toEqual({ ...noRedaction, ...rule(target), replayRedacted: true });
  const { deployments } = await control.store.registry.gatewayConfig();
  expect(deployments[0]!.redaction).toEqual(changed.body.redaction);
  const subject = { header: "x-user" };
  expect((await set(control, { subject })).body.redaction).toEqual({ ...noRedaction, subject });
});

describe("refused, and nothing is changed", () => {
  test.each([
    ["an action that is none", rule({ input: "x" }, "encrypt"), "redaction.rules.0.action"],
    ["a target of two kinds", rule({ input: "x", output: "y" }), "redaction.rules.0.target"],
    ["a path that is none", rule({ json: "user" }), "redaction.rules.0.target"],
    ["a header that the body needs", rule({ header: "content-type" }), "redaction.rules.0.target"],
    ["a credential as the subject", { subject: { header: "cookie" } }, "redaction.subject"],
    ["a word that is none", { rule: [] }, "redaction"],
    ["null", null, "redaction"],
  ])("%s", async (_, redaction, path) => {
    const before = (await control.call("GET", "/deployments/digits")).body;
    const answer = await set(control, redaction);
    expect(answer.status).toBe(400);
    expect(answer.body.errors.map((error: { path: string }) => error.path).join()).toContain(path);
    expect((await control.call("GET", "/deployments/digits")).body).toEqual(before);
  });

  test.each([
    ["a hash", rule({ input: "x" }, "hash")],
    ["a subject", { subject: { parameter: "user" } }],
  ])("%s where no key is set, since gateways would drop everything", async (_, redaction) => {
    const answer = await set(keyless, redaction);
    expect(answer.status).toBe(400);
    expect(answer.body.hint).toContain("UNDERSTUDY_REDACTION_KEY");
    expect((await set(keyless, rule({ input: "x" }))).status).toBe(200);
  });
});

describe("hashes of tensors that cannot be hashed", () => {
  const hashes = (...targets: object[]) => ({ rules: targets.map((target) => ({ target, action: "hash" })) });

  test.each([
    ["a float", hashes({ input: "x" }), "the input x is FP32"],
    [
      "16 bits, behind one that can be",
      hashes({ input: "text" }, { input: "half" }),
      "the input half is FP16",
    ],
    ["outputs", hashes({ output: "scores" }, { output: "flag" }), "is BF16; the output flag is BOOL"],
  ])("refused, with what to do instead: %s", async (_, redaction, words) => {
    const before = (await control.call("GET", "/deployments/digits")).body;
    for (const answer of [
      await set(control, redaction),
      await control.call("POST", "/deployments", {
        body: { name: "other", primary: { url: primary.url }, redaction },
      }),
    ]) {
      expect(answer.status).toBe(400);
      expect(answer.body.detail).toContain(words);
      expect(answer.body.hint).toContain("Mask, drop or truncate");
      expect(answer.body.errors.at(-1).path).toBe(`redaction.rules.${redaction.rules.length - 1}.action`);
    }
    expect((await control.call("GET", "/deployments/digits")).body).toEqual(before);
  });

  test.each([
    ["text and integers", hashes({ input: "text" }, { input: "id" })],
    ["other actions", { rules: [{ target: { input: "x" }, action: "mask" }] }],
    ["a name that the model does not tell", hashes({ input: "unheard-of" })],
  ])("not refused: %s", async (_, redaction) => {
    expect((await set(control, redaction)).status).toBe(200);
  });

  test("a primary that has other tensors is looked at alike; one that is away holds up no redaction", async () => {
    const floats = await openModelServer({ inputs: [tensor("id", "FP64")] });
    expect((await set(control, hashes({ input: "id" }))).status).toBe(200);
    const moved = await control.call("PATCH", "/deployments/digits", {
      body: { primary: { url: floats.url } },
    });
    expect(moved).toMatchObject({ status: 400 });
    expect(moved.body.detail).toContain("the input id is FP64");
    const body = { name: "away", primary: { url: floats.url } };
    expect((await control.call("POST", "/deployments", { body })).status).toBe(201);
    await floats.close();
    const redaction = hashes({ input: "id" });
    expect((await control.call("PATCH", "/deployments/away", { body: { redaction } })).status).toBe(200);
  });
});

describe("understudy redaction", () => {
  const cli = (...args: string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const env = { PATH: process.env.PATH, UNDERSTUDY_CONTROL_URL: control.origin };
      execFile(process.execPath, [cliMain, "redaction", ...args], { env }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });

  test("sets what a file says, and shows it in the same form", async () => {
    const file = join(folder, "redaction.json");
    await writeFile(file, JSON.stringify(rule({ input: "text" }, { truncate: 3 })));
    expect(await cli("set", "digits", file)).toMatchObject({
      code: 0,
      stdout: "digits: 1 redaction rule, no subject\n",
    });
    const shown = await cli("show", "digits");
    expect(JSON.parse(shown.stdout)).toEqual({ ...noRedaction, ...rule({ input: "text" }, { truncate: 3 }) });
    await writeFile(file, shown.stdout);
    expect((await cli("set", "digits", file)).code).toBe(0);
  });

  test("a file with a fault is refused before anyone is asked", async () => {
    const file = join(folder, "fault.json");
    await writeFile(file, JSON.stringify(rule({ input: "" })));
    const refused = await cli("set", "digits", file);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("rules.0.target");
  });
});
