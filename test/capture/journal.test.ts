import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createAccount } from "../../src/capture/account.js";
import { openEpoch } from "../../src/capture/epoch.js";
import { foldJournal, type JournalRecord, openJournal, readJournal } from "../../src/capture/journal.js";
import { mountSmallDisk, type SmallDisk } from "../gateway/small-disk.js";

let folder: string;
let path: string;
let mounted: SmallDisk | null = null;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "understudy-journal-"));
  path = join(folder, "journal");
});
afterEach(() => {
  mounted?.unmount();
  mounted = null;
  rmSync(folder, { recursive: true });
});

const record = (cut: number, more: Partial<JournalRecord> = {}): JournalRecord => ({
  cut,
  atMs: 1_000 * cut,
  sequence: 10 * cut,
  received: [[1, 10 * cut]],
  minutes: [
    {
      served: {
        deploymentId: 1,
        minuteMs: 0,
        received: 10 * cut,
        inFlight: 0,
        sampledOut: 0,
        dropped: {},
        requestBytes: 0,
        responseBytes: 0,
      },
      kept: { spooled: 10 * cut, held: 0, sampledOut: 0, notEligible: {}, dropped: {} },
      catalogued: 0,
      lost: 0,
    },
  ],
  done: [],
  sending: null,
  ended: null,
  ...more,
});

test("the newest of each minute and deployment counts, and what is done adds up", () => {
  const journal = openJournal(path, () => record(0));
  journal.append(
    record(1, {
      received: [
        [1, 10],
        [2, 5],
      ],
      done: ["a"],
    }),
  );
  journal.append(record(2, { done: ["b"] }));
  journal.append(record(3, { minutes: [], received: [], ended: "closed" }));
  journal.close();
  const state = foldJournal(readJournal(path).records);
  expect(state).toMatchObject({ cut: 3, sequence: 30, ended: "closed" });
  expect([...state.received]).toEqual([
    [1, 20],
    [2, 5],
  ]);
  expect([...state.done]).toEqual(["a", "b"]);
  expect(state.minutes.map((minute) => minute.kept.spooled)).toEqual([20]);
});

test("of a torn tail nothing counts, and writing goes on where the sound part ends", () => {
  const journal = openJournal(path, () => record(0));
  journal.append(record(1));
  const sound = statSync(path).size;
  journal.append(record(2));
  journal.close();
  for (let length = statSync(path).size - 1; length > sound; length -= 7) {
    truncateSync(path, length);
    expect(readJournal(path)).toMatchObject({ bytes: sound, records: [{ cut: 1 }] });
  }
  const again = openJournal(path, () => record(0));
  again.append(record(3));
  again.close();
  expect(readJournal(path).records.map(({ cut }) => cut)).toEqual([1, 3]);
});

test("zeros, as a power cut leaves them, are no records", () => {
  const journal = openJournal(path, () => record(0));
  journal.append(record(1));
  journal.close();
  appendFileSync(path, Buffer.alloc(4096));
  expect(readJournal(path).records).toHaveLength(1);
});

test("it is written anew when it grows large, and says the same", () => {
  let newest = record(0);
  const journal = openJournal(path, () => newest);
  const filler = Array.from({ length: 2_000 }, (_, index) => `00000000-${index}.spool`);
  for (let cut = 1; cut <= 300; cut++) {
    newest = record(cut, { done: filler });
    journal.append(newest);
  }
  journal.close();
  expect(readFileSync(path).length).toBeLessThan(5 * 1024 ** 2);
  expect(foldJournal(readJournal(path).records)).toMatchObject({ cut: 300, sequence: 3000 });
});

test("syncing while it is written anew loses no descriptor", async () => {
  const filler = Array.from({ length: 20_000 }, (_, index) => `0000000000000000-${index}.spool`);
  const journal = openJournal(path, () => record(9, { done: filler }));
  const syncs: Promise<void>[] = [];
  for (let cut = 1; cut <= 30; cut++) {
    journal.append(record(cut, { done: filler }));
    syncs.push(journal.sync());
  }
  await Promise.all(syncs);
  journal.close();
  expect(foldJournal(readJournal(path).records).done.size).toBe(filler.length);
});

/** A folder on a disk of a mebibyte; null where none can be mounted. */
function smallDisk(): string | null {
  const disk = join(folder, "disk");
  mounted = mountSmallDisk(disk, 1024 ** 2);
  return mounted === null ? null : disk;
}

/** Takes all the room that is left. */
function fill(disk: string): void {
  expect(() => {
    for (;;) appendFileSync(join(disk, "filler"), Buffer.alloc(4096));
  }).toThrow("ENOSPC");
}

test("a full disk refuses records; syncing writes them into the room that is set aside, again and again", async (context) => {
  const disk = smallDisk();
  if (disk === null) return context.skip();
  const at = join(disk, "journal");
  let newest = record(0);
  const journal = openJournal(at, () => newest);
  fill(disk);
  for (let round = 0; round < 20; round++) {
    const append = () => {
      for (;;) {
        newest = record(newest.cut + 1);
        journal.append(newest);
      }
    };
    expect(append).toThrow("ENOSPC");
    await journal.sync();
    expect(foldJournal(readJournal(at).records).cut).toBe(newest.cut);
    // Others take what is left.
    fill(disk);
  }
  journal.close();
});

test("where no room could be set aside, syncing says that the newest record is not there", async (context) => {
  const disk = smallDisk();
  if (disk === null) return context.skip();
  fill(disk);
  const journal = openJournal(join(disk, "journal"), () => record(1));
  expect(() => journal.append(record(1))).toThrow("ENOSPC");
  await expect(journal.sync()).rejects.toThrow("ENOSPC");
  rmSync(join(disk, "filler"));
  await journal.sync();
  expect(readJournal(join(disk, "journal")).records).toMatchObject([{ cut: 1 }]);
  journal.close();
});

test("what was shipped is deleted from a full disk", async (context) => {
  const disk = smallDisk();
  if (disk === null) return context.skip();
  const refusals: unknown[] = [];
  const epoch = openEpoch({
    identity: { epoch: "e", gateway: "g", startedAtMs: 0, startedMonotonicMs: 0, bootId: "" },
    folder: disk,
    account: createAccount(),
    before: null,
    clockOffsetMs: () => 0,
    onJournalError: (error) => refusals.push(error),
  });
  const name = "shipped.spool";
  const path = join(disk, name);
  writeFileSync(path, "captures");
  fill(disk);
  for (let cut = 0; refusals.length === 0; cut++)
    epoch.takeCut({ atMs: cut, sequence: cut, received: [], minutes: [] });
  const file = {
    path,
    name,
    bytes: 8,
    minutes: new Map(),
    deploymentId: 1,
    day: "2026-01-01",
    segmentId: "s",
  };
  await epoch.fileDone(file, []);
  expect(existsSync(path)).toBe(false);
  epoch.close();
});
