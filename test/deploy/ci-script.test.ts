import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packageRoot } from "../../src/paths.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "understudy-ci-"));
  // Stands in for the command: says what it was asked, and ends as it is told, with a report or without.
  const script = '#!/bin/sh\necho "$*"\n[ -n "$REPORTS" ] && touch reports/gate.json\nexit "$CODE"\n';
  await writeFile(join(folder, "understudy"), script);
  await chmod(join(folder, "understudy"), 0o755);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function run(env: Record<string, string>): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      "bash",
      [join(packageRoot, "examples/ci/gate.sh"), "digits", "int8", "reports"],
      { cwd: folder, env: { PATH: process.env.PATH, ...env } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

test.each([
  ["pass", "0", "1", 0],
  ["fail", "1", "1", 1],
  ["inconclusive", "3", "1", 3],
  ["cannot run", "2", "", 2],
  ["a command that could not be run", "1", "", 2],
  ["a command that is not there", "127", "", 2],
])("the CI script, %s: understudy ends with %s", async (_, CODE, REPORTS, expected) => {
  expect((await run({ UNDERSTUDY: "./understudy", CODE, REPORTS })).code).toBe(expected);
});

test.each([
  [{ GITHUB_ACTOR: "ada" }, "--author ada"],
  [{ GITLAB_USER_LOGIN: "ada lovelace" }, "--author ada lovelace"],
  [{ GITHUB_ACTOR: "bot", AUTHOR: "ada" }, "--author ada"],
])("the CI script names the author: %j", async (env, said) => {
  const { stdout } = await run({ UNDERSTUDY: "./understudy", CODE: "0", REPORTS: "1", ...env });
  expect(stdout).toContain(said);
});

test("the CI script takes no command from a registry: not installed, it cannot run", async () => {
  const { code } = await run({
    HOME: folder,
    npm_config_registry: "http://127.0.0.1:9/",
    npm_config_fetch_retries: "0",
  });
  expect(code).toBe(2);
});
