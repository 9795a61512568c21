import { appendFileSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { settleEpoch } from "../../src/capture/settle.js";
import { createHistory, createLedger } from "./history.js";

const raise = (error: unknown) => {
  throw error;
};

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("receive" as const), deployment: fc.nat(1) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("finish" as const),
      how: fc.constantFrom("captured", "captured", "captured", "ineligible", "sampled_out", "aborted"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cut" as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("tick" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("ship" as const),
      mode: fc.constantFrom("works", "works", "works", "fails_before", "fails_after"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      ms: fc.constantFrom(300, 1_500, 61_000, -30_000),
    }),
  },
);

function damage(path: string, how: string): void {
  if (how === "torn") appendFileSync(path, "torn");
  if (how === "cut") truncateSync(path, Math.floor(statSync(path).size / 2));
  if (how === "gone") rmSync(path);
}

const statSum = (folder: string, names: string[]) =>
  names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

/** How the first settling fares: it may die as well, anywhere. */
const settling = fc.record({
  filesShipped: fc.nat(3),
  mode: fc.constantFrom("works", "fails_after"),
  /** What a power cut does to the spool: nothing there is synced. */
  files: fc.array(fc.constantFrom("whole", "torn", "cut", "gone"), { minLength: 4, maxLength: 4 }),
});

test("whatever happens, and wherever it is killed, the ledger balances at every read and counts nothing twice", async () => {
  const seen = { killedWithFiles: 0, damaged: 0, spoolErrors: 0, lost: 0, withdrawn: 0, retried: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 150 }), settling, async (steps, first) => {
      const root = mkdtempSync(join(tmpdir(), "understudy-history-"));
      try {
        const folder = join(root, "epoch");
        const history = createHistory(folder, join(root, "blobs"));
        const ledger = createLedger();
        let uncertain = false;
        history.reserve();
        for (const one of steps) {
          if (one.do === "receive") history.receive(one.deployment);
          // The capture thread looks every 10 ms; a request's number is reserved by then.
          history.reserve();
          if (one.do === "finish") history.finish(one.how as "captured");
          if (one.do === "cut") history.cut();
          if (one.do === "tick") history.tick();
          if (one.do === "wait") history.clock.ms += one.ms;
          if (one.do === "ship") {
            ledger.mode = one.mode as "works";
            const shipping = history.live.files.length > 0;
            try {
              if (shipping) {
                uncertain ||= one.mode === "fails_after";
                await history.shipOne(ledger);
                uncertain = false;
              } else if (!uncertain) {
                await history.shipCut(ledger);
              }
            } catch {
              seen.retried += 1;
            }
          }
          expect(ledger.imbalances()).toEqual([]);
        }
        // Killed here. What the two sides had in memory is gone; the folder is what it is.
        const received = history.tally.sequence;
        const files = history.filesLeft();
        if (files.length > 0) seen.killedWithFiles += 1;
        const before = statSum(folder, files);
        for (const [index, name] of files.entries()) damage(join(folder, name), first.files[index % 4]!);
        if (statSum(folder, history.filesLeft()) < before) seen.damaged += 1;

        // The first settling ships some files and dies; the second does the rest.
        ledger.mode = "works";
        const settled = await settleEpoch({ folder, clockOffsetMs: () => 0, onJournalError: raise });
        for (let shipped = 0; shipped < first.filesShipped && settled.files.length > 0; shipped++) {
          const one = { ...settled, files: [settled.files[0]!] };
          ledger.mode = shipped === first.filesShipped - 1 ? (first.mode as "works") : "works";
          await history.shipAll(one, ledger).catch(() => {});
          settled.files.shift();
          if (ledger.mode === "works") expect(ledger.imbalances()).toEqual([]);
        }
        ledger.mode = "works";
        const again = await settleEpoch({ folder, clockOffsetMs: () => 0, onJournalError: raise });
        await history.shipAll(again, ledger);

        const totals = ledger.totals();
        expect(ledger.imbalances()).toEqual([]);
        expect(totals).toMatchObject({ inFlight: 0, buffered: 0, captured: ledger.captureIds.size });
        expect(totals.received).toBeGreaterThanOrEqual(received);
        // Bounded: what is reserved for two deployments, at this rate.
        expect(totals.received - received).toBeLessThanOrEqual(2 * 512);
        expect(again.files).toEqual([]);
        expect(history.filesLeft()).toEqual([]);
        seen.lost += totals.lost;
        seen.withdrawn += totals.withdrawn;
        seen.spoolErrors += totals.spoolErrors;
      } finally {
        rmSync(root, { recursive: true, force: true });
      }
    }),
    { numRuns: 150 },
  );
  // The histories did reach what they are about.
  expect(seen.killedWithFiles).toBeGreaterThan(30);
  expect(seen.withdrawn).toBeGreaterThan(30);
  expect(seen.damaged).toBeGreaterThan(20);
  expect(seen.spoolErrors).toBeGreaterThan(30);
  expect(seen.retried).toBeGreaterThan(30);
  expect(seen.lost).toBeGreaterThan(0);
});
