import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { foldJournal, type JournalRecord, openJournal, readJournal } from "../../src/capture/journal.js";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "understudy-journal-"));
  path = join(folder, "journal");
});
afterEach(() => rmSync(folder, { recursive: true }));

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
