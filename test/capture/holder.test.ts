import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createHolder } from "../../src/capture/holder.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "understudy-holder-"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A holder's folder with one epoch in it, whose identity is this process's with `change`. */
function leave(name: string, change: object, heardMsAgo = 0): void {
  const holder = createHolder(root, name);
  mkdirSync(join(holder.folder, `epoch-of-${name}`));
  const path = join(holder.folder, "holder.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...change }));
  const heard = new Date(Date.now() - heardMsAgo);
  utimesSync(path, heard, heard);
}

test.each([
  ["a process that lives", {}, 3_600_000, false],
  ["a process with its pid, but started at another time", { started: "1" }, 0, true],
  ["a process of another boot", { bootId: "another" }, 0, true],
  ["another machine, heard of just now", { host: "elsewhere", pid: 1 }, 1_000, false],
  ["another machine, silent for two minutes", { host: "elsewhere", pid: 1 }, 120_000, true],
])("what %s holds is taken over: %s", (_, change, heardMsAgo, taken) => {
  leave("other", change, heardMsAgo);
  const holder = createHolder(root, "mine");
  expect(holder.adopt()).toEqual(taken ? [join(root, "mine", "epoch-of-other")] : []);
  expect(existsSync(join(root, "other"))).toBe(!taken);
});

test("what a process that has ended held is taken over, by one of two that try", async () => {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  leave("dead", { pid: child.pid });
  const [one, two] = [createHolder(root, "one"), createHolder(root, "two")];
  expect([...one.adopt(), ...two.adopt()]).toEqual([join(root, "one", "epoch-of-dead")]);
});

test("a holder of this process is taken over only when it is known to have ended", () => {
  leave("thread", {});
  const holder = createHolder(root, "mine");
  expect(holder.adopt()).toEqual([]);
  expect(holder.adopt(new Set(["thread"]))).toEqual([join(root, "mine", "epoch-of-thread")]);
});

test("an empty folder goes when its holder closes; one that holds something stays", () => {
  const holder = createHolder(root, "mine");
  mkdirSync(join(holder.folder, "epoch"));
  holder.close();
  expect(readdirSync(root)).toEqual(["mine"]);
  rmSync(join(holder.folder, "epoch"), { recursive: true });
  holder.close();
  expect(readdirSync(root)).toEqual([]);
});
