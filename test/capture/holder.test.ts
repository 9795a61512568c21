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
import { createHolder as createHolderBy } from "../../src/capture/holder.js";

let root: string;
let nowMs: number;
const createHolder = (folder: string, name: string) => createHolderBy(folder, name, () => nowMs);
beforeEach(() => {
  nowMs = 0;
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
])("what %s holds is taken over: %s", (_, change, heardMsAgo, taken) => {
  leave("other", change, heardMsAgo);
  const holder = createHolder(root, "mine");
  expect(holder.adopt()).toEqual(taken ? [join(root, "mine", "epoch-of-other")] : []);
  expect(existsSync(join(root, "other"))).toBe(!taken);
});

test.each([
  ["on another machine", { host: "elsewhere", pid: 1 }],
  ["in another container, whose pids mean others here", { pidNamespace: "pid:[1]", started: "1" }],
])("a holder %s is gone once it was silent for a minute, whatever its clock and ours say", (_, change) => {
  // Its clock is an hour behind ours.
  leave("other", change, 3_600_000);
  const holder = createHolder(root, "mine");
  expect(holder.adopt()).toEqual([]);
  nowMs = 59_000;
  const beat = new Date(Date.now() - 3_700_000);
  utimesSync(join(root, "other", "holder.json"), beat, beat);
  expect(holder.adopt()).toEqual([]);
  nowMs = 118_000;
  expect(holder.adopt()).toEqual([]);
  nowMs = 119_000;
  expect(holder.adopt()).toEqual([join(root, "mine", "epoch-of-other")]);
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
