import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSpool, type Spool, segmentCaptures } from "../../src/capture/spool.js";

const clock = { ms: 0 };
let folder: string;
let spool: Spool;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "understudy-spool-"));
  clock.ms = 0;
  spool = createSpool({ folder, clock: () => clock.ms });
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const append = (captures: number, bytes: number, cut: number) =>
  spool.append(
    { deploymentId: 1, atMs: 0, bytes: Buffer.alloc(bytes), minutes: new Map([[0, captures]]) },
    cut,
  );
const rolled = (newestCut: number) =>
  spool.roll(newestCut, clock.ms).map(({ bytes, minutes }) => ({ bytes, captures: minutes.get(0) }));

test("a file is closed when it is full of captures, at a cut that covers them", () => {
  append(segmentCaptures - 1, 10, 1);
  expect(rolled(1)).toEqual([]);
  append(1, 10, 2);
  expect(rolled(1)).toEqual([]);
  expect(rolled(2)).toEqual([{ bytes: 20, captures: segmentCaptures }]);
  expect(spool.bytes).toBe(0);
});

test("a file of few captures is closed for its bytes, or after a second", () => {
  append(1, 16 * 1024 ** 2 - 1, 1);
  expect(rolled(1)).toEqual([]);
  append(1, 1, 1);
  expect(rolled(1)).toEqual([{ bytes: 16 * 1024 ** 2, captures: 2 }]);
  append(1, 10, 2);
  clock.ms = 999;
  expect(rolled(2)).toEqual([]);
  clock.ms = 1_000;
  expect(rolled(2)).toEqual([{ bytes: 10, captures: 1 }]);
});
