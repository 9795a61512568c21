import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createFileStore } from "../../src/blobs/file-store.js";
import { createAccount } from "../../src/capture/account.js";
import { createSharedChecksum } from "../../src/capture/checksum.js";
import { createDrain } from "../../src/capture/drain.js";
import { type Epoch, epochFiles, openEpoch } from "../../src/capture/epoch.js";
import { openReservation } from "../../src/capture/reservation.js";
import { createReserver } from "../../src/capture/reserver.js";
import { createRingConsumer, createRingMemory, createRingProducer } from "../../src/capture/ring.js";
import { createSequenceMemory, createSequenceWriter } from "../../src/capture/sequences.js";
import { createShipMemory, shipFile } from "../../src/capture/ship-file.js";
import { createSpool } from "../../src/capture/spool.js";
import { createTally, type DeploymentTally, type MinuteTally } from "../../src/capture/tally.js";
import { minuteOf, newId } from "../../src/ids.js";
import type { Catalogue } from "../../src/store/groups.js";
import type { LedgerMinute, SegmentCommit } from "../../src/store/types.js";

/** A catalogue in memory with the rules of Postgres', so that thousands of histories can be played. */
export interface Ledger extends Catalogue {
  /** What the next calls do: go through, or fail before or after they have gone through. */
  mode: "works" | "fails_before" | "fails_after";
  /** Sums over everything, and every minute's imbalance. */
  totals(): Record<
    "received" | "inFlight" | "lost" | "buffered" | "captured" | "withdrawn" | "spoolErrors",
    number
  >;
  imbalances(): string[];
  readonly captureIds: Set<string>;
}

export function createLedger(): Ledger {
  const rows = new Map<string, LedgerMinute & { sequence: number }>();
  const captured = new Map<string, number>();
  const segments = new Map<string, Map<number, number>>();
  const captureIds = new Set<string>();
  const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0);
  const keyOf = (deploymentId: number, ms: number) => `${deploymentId}:${ms - (ms % 60_000)}`;

  function takeCut(cut: SegmentCommit["cut"]): void {
    for (const row of cut.counts) {
      const key = `${cut.epoch}:${row.deploymentId}:${row.minuteMs}`;
      if ((rows.get(key)?.sequence ?? -1) <= cut.sequence) rows.set(key, { ...row, sequence: cut.sequence });
    }
  }
  const guarded = <T>(act: () => T): Promise<T> => {
    if (ledger.mode === "fails_before") return Promise.reject(new Error("connection refused"));
    const result = act();
    return ledger.mode === "works" ? Promise.resolve(result) : Promise.reject(new Error("connection lost"));
  };
  const ledger: Ledger = {
    mode: "works",
    captureIds,
    commitSegment: (commit) =>
      guarded(() => {
        takeCut(commit.cut);
        const alreadyThere = segments.has(commit.segment.id);
        const counts = segments.get(commit.segment.id) ?? new Map<number, number>();
        segments.set(commit.segment.id, counts);
        for (const { id, receivedAtMs } of alreadyThere ? [] : commit.captures) {
          const key = keyOf(commit.segment.deploymentId, receivedAtMs);
          captured.set(key, (captured.get(key) ?? 0) + 1);
          counts.set(minuteOf(receivedAtMs), (counts.get(minuteOf(receivedAtMs)) ?? 0) + 1);
          captureIds.add(id);
        }
        return { workIds: [], toQueue: [], revivedBodies: [], alreadyThere };
      }),
    capturesOf: (segmentId) => Promise.resolve(segments.get(segmentId) ?? null),
    shipCut: (cut) => guarded(() => takeCut(cut)),
    totals() {
      const all = [...rows.values()];
      const total = (pick: (row: LedgerMinute) => number) => all.reduce((a, row) => a + pick(row), 0);
      return {
        received: total((row) => row.received),
        inFlight: total((row) => row.inFlight),
        lost: total((row) => row.lost),
        buffered: total((row) => row.buffered),
        captured: [...captured.values()].reduce((a, b) => a + b, 0),
        withdrawn: total((row) => sum(row.notEligible)),
        spoolErrors: total((row) => row.dropped.spool_error ?? 0),
      };
    },
    imbalances() {
      const open = new Map<string, number>();
      for (const [key, row] of rows) {
        const { received, inFlight, sampledOut, buffered, lost, notEligible, dropped } = row;
        const terms = inFlight + sampledOut + buffered + lost + sum(notEligible) + sum(dropped);
        const minute = key.slice(key.indexOf(":") + 1);
        open.set(minute, (open.get(minute) ?? 0) + received - terms);
        for (const count of [received, inFlight, sampledOut, buffered, lost]) {
          if (count < 0) return [`${key}: negative count`];
        }
      }
      for (const [minute, count] of captured) open.set(minute, (open.get(minute) ?? 0) - count);
      return [...open].filter(([, difference]) => difference !== 0).map(([minute, by]) => `${minute}: ${by}`);
    },
  };
  return ledger;
}

/** Both sides of a capture, played by hand on one thread. */
export function createHistory(folder: string, blobsFolder: string) {
  mkdirSync(folder, { recursive: true });
  const identity = {
    epoch: newId(),
    gateway: "test",
    startedAtMs: 1_700_000_000_000,
    startedMonotonicMs: 0,
    bootId: "",
  };
  writeFileSync(join(folder, epochFiles.identity), JSON.stringify(identity));
  const clock = { ms: identity.startedAtMs };
  const ring = createRingMemory(16 * 1024, 2);
  const sequences = createSequenceMemory();
  const tally = createTally({
    ring: createRingProducer(ring),
    sequences: createSequenceWriter(sequences),
    clock: () => clock.ms,
  });
  const account = createAccount();
  const live = openEpoch({
    identity,
    folder,
    account,
    before: null,
    clockOffsetMs: () => 0,
    onJournalError: raise,
  });
  const spool = createSpool({ folder, clock: () => clock.ms });
  const reserver = createReserver(openReservation(join(folder, epochFiles.reservation)), sequences);
  const drain = createDrain({
    ring: createRingConsumer(ring),
    checksum: createSharedChecksum(ring.data),
    spool,
    account,
    nextCut: () => live.cut + 1,
    onCut: live.takeCut,
    hasRoom: () => true,
    redactorOf: () => null,
    isOff: () => false,
    sequenceRateOf: () => null,
    bodyBytesMax: 1_000_000,
    clock: () => 0,
    onRedactionError: () => {},
    onSpoolError: raise,
  });
  const deployments = [1, 2].map((id) => tally.open(id)!);
  const inFlight: { deployment: DeploymentTally; minute: MinuteTally; sequence: number; atMs: number }[] = [];
  const shipDeps = {
    blobs: createFileStore(blobsFolder),
    bodyBytesMax: 1e6,
    largeBodyBytes: 1e6,
    memory: createShipMemory(),
  };

  return {
    clock,
    tally,
    live,
    inFlight,
    receive(which: number) {
      const deployment = deployments[which % deployments.length]!;
      const sequence = tally.sequence;
      const atMs = tally.nowMs();
      inFlight.push({ deployment, minute: tally.receive(deployment, atMs), sequence, atMs });
    },
    /** Ends the oldest request under way. */
    finish(how: "captured" | "ineligible" | "sampled_out" | "aborted") {
      const one = inFlight.shift();
      if (one === undefined) return;
      if (how === "sampled_out") tally.sampledOut(one.minute);
      else if (how === "aborted") tally.dropped(one.minute, "client_abort");
      else {
        const body = Buffer.from(how === "captured" ? '{"inputs":[]}' : "not JSON");
        // Every other body comes by a slab, as long as there is one.
        const slab = one.sequence % 2 === 0 ? tally.slabFor(body.length) : null;
        slab?.bytes.set(body);
        const isTaken = tally.handOver(
          one.minute,
          {
            deploymentId: one.deployment.deploymentId,
            sequence: one.sequence,
            receivedAtMs: one.atMs,
            primaryMs: 1,
            status: 200,
            sample: "base",
            rule: "",
            gaps: null,
            method: "POST",
            path: "/v2/models/m/infer",
            requestHeaders: [],
            responseHeaders: [],
            requestChunks: [slab?.bytes ?? body],
            requestBytes: body.length,
            responseChunks: [],
            responseBytes: 0,
          },
          slab,
        );
        if (slab !== null && !isTaken) slab.ring.giveSlabBack(slab.at);
      }
    },
    cut: () => tally.cut(),
    /** What the capture thread does at every tick. */
    tick() {
      reserver.tick(clock.ms);
      while (drain.run());
      live.files.push(...spool.roll(live.cut, clock.ms));
    },
    reserve: () => reserver.tick(clock.ms),
    shipOne: (catalogue: Catalogue) => shipOne(live, catalogue, shipDeps),
    shipCut: (catalogue: Catalogue) => shipCut(live, catalogue),
    shipAll: async (epoch: Epoch, catalogue: Catalogue) => {
      while (epoch.files.length > 0) await shipOne(epoch, catalogue, shipDeps);
      await shipCut(epoch, catalogue);
    },
    filesLeft: () => readdirSync(folder).filter((name) => name.endsWith(".spool")),
  };
}

async function shipOne(
  epoch: Epoch,
  catalogue: Catalogue,
  deps: Omit<Parameters<typeof shipFile>[0], "catalogue">,
): Promise<void> {
  const file = epoch.files[0];
  if (file === undefined) return;
  await shipFile({ ...deps, catalogue }, epoch, file, () => {});
  epoch.files.shift();
}

async function shipCut(epoch: Epoch, catalogue: Catalogue): Promise<void> {
  const shipment = epoch.account.ship();
  await catalogue.shipCut(await epoch.syncedCut(shipment.minutes));
  shipment.arrived();
}

function raise(error: unknown): never {
  throw error;
}
