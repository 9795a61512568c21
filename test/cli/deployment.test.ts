import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cliMain } from "../../src/paths.js";
import { openControl, openModelServer, type TestControl } from "../control/support.js";

let control: TestControl;
let primary: Awaited<ReturnType<typeof openModelServer>>;
let folder: string;
beforeAll(async () => {
  [control, primary, folder] = await Promise.all([
    openControl(),
    openModelServer(),
    mkdtemp(join(tmpdir(), "understudy-deployment-")),
  ]);
  await control.call("POST", "/deployments", { body: { name: "digits", primary: { url: primary.url } } });
  await writeFile(
    join(folder, "targets.json"),
    JSON.stringify([{ name: "errors", when: { status: "errors" } }]),
  );
  await writeFile(join(folder, "wrong.json"), JSON.stringify([{ name: "errors", when: {} }]));
  await writeFile(join(folder, "none.json"), "[");
});
afterAll(async () => {
  await control?.close();
  await primary?.close();
  await rm(folder, { recursive: true, force: true });
});

const cli = (...args: string[]) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const env = { PATH: process.env.PATH, UNDERSTUDY_CONTROL_URL: control.origin };
    execFile(process.execPath, [cliMain, ...args], { env, cwd: folder }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });

const set = (...args: string[]) => cli("deployment", "set", ...args);

test("a deployment is registered with all of it", async () => {
  const rules = ["--targets", "targets.json", "--tags", "X-Tenant", "--sequences", "on"];
  const made = await cli(
    "register",
    "early",
    "--primary",
    primary.url,
    "--json",
    "--sample-rate",
    "0.5",
    ...rules,
  );
  expect(made.stderr).toBe("");
  expect(JSON.parse(made.stdout)).toMatchObject({
    sampleRate: 0.5,
    capture: {
      targets: [{ name: "errors", when: { status: "errors" } }],
      tags: ["x-tenant"],
      sequences: true,
    },
  });
  const bare = await cli("register", "bare", "--primary", primary.url, "--json");
  expect(JSON.parse(bare.stdout)).toMatchObject({
    sampleRate: 1,
    capture: { targets: [], tags: [], sequences: false },
  });
  const refused = await cli("register", "third", "--primary", primary.url, "--targets", "wrong.json");
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("must name status, slowerThanMs or header");
});

test("changes what is named, and leaves the rest", async () => {
  const all = ["--sample-rate", "10%", "--targets", "targets.json", "--tags", "X-Tenant, x-region"];
  const done = await set("digits", ...all, "--sequences", "on", "--keep-answers", "0.5");
  expect(done.stderr).toBe("");
  expect(done.stdout).toBe(
    "digits: 10 % of requests captured\n  rules for more: errors\n  tags: x-tenant, x-region\n" +
      "  sequences: on\n  answers kept: 0.5\n",
  );
  const cleared = await set("digits", "--tags", "", "--keep-answers", "divergent", "--json");
  expect(JSON.parse(cleared.stdout)).toMatchObject({
    sampleRate: 0.1,
    capture: { tags: [], sequences: true, targets: [{ name: "errors" }] },
    keepAnswers: "divergent",
  });
});

test.each([
  [[], "Nothing to change was named"],
  [["--sample-rate", "2"], "a fraction from 0 to 1"],
  [["--sequences", "yes"], "must be on or off"],
  [["--keep-answers", "some"], "a fraction from 0 to 1"],
  [["--targets", "absent.json"], "cannot be read as rules"],
  [["--targets", "none.json"], "cannot be read as rules"],
  [["--targets", "wrong.json"], "must name status, slowerThanMs or header"],
  [["--tags", "authorization"], "must not be a header that carries a credential"],
])("%j is refused, with a word of what would do", async (args, word) => {
  const refused = await set("digits", ...args);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain(word);
});
