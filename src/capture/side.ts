import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BlobStore } from "../blobs/blobs.js";
import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import type { Catalogue } from "../store/groups.js";
import { type Account, createAccount, type KeptCounts } from "./account.js";
import { createSharedChecksum } from "./checksum.js";
import { createDrain } from "./drain.js";
import { epochFiles, openEpoch } from "./epoch.js";
import { createHolder } from "./holder.js";
import { type DeploymentRedactor, redactionFault } from "./redactors.js";
import { openReservation } from "./reservation.js";
import { createReserver } from "./reserver.js";
import { createRingConsumer, type RingMemory } from "./ring.js";
import type { SequenceMemory } from "./sequences.js";
import { settleEpoch } from "./settle.js";
import { createShipper } from "./shipper.js";
import { createSpool } from "./spool.js";
import type { ClosedFile } from "./spool-file.js";
import { syncFolder } from "./sync-folder.js";

/** How often the ring is looked at: the reservation must cover what may come in between. */
const tickMs = 10;
const beatEveryMs = 2_000;
const adoptEveryMs = 30_000;
/** Of an error that comes with every write, one line in this time. */
const complainEveryMs = 10_000;

/** Memory shared with the serving thread. */
export interface SharedMemory {
  ring: RingMemory;
  sequences: SequenceMemory;
}

/** An earlier capture side of this same process, which ended while the serving thread lived on. */
export interface EndedEpoch {
  epoch: string;
  /** How many requests each deployment really had. */
  received: ReadonlyMap<number, number>;
}

export interface SideStats {
  spoolBytes: number;
  clockOffsetMs: number;
  /** By deployment id, since the epoch began. */
  totals: ReadonlyMap<number, KeptCounts>;
}

/** The capture side of a gateway: everything between the ring and the catalogue. */
export interface CaptureSide {
  stats(): SideStats;
  /** Empties the ring, spools and ships what can be shipped by the deadline, and ends the epoch in order. */
  close(deadlineMs: number): Promise<void>;
}

/**
 * Starts the capture side of one epoch, under `ROOT/EPOCH`, and takes over what dead ones left under `ROOT`.
 * Without a catalogue all stays in the spool.
 *
 * @throws when the spool's folder cannot be made
 */
export function startCaptureSide(deps: {
  memory: SharedMemory;
  root: string;
  epoch: string;
  /** Wall clock from when on requests are counted under this epoch. */
  openedAtMs: number;
  gateway: string;
  ended: readonly EndedEpoch[];
  spoolBytesMax: number;
  bodyBytesMax: number;
  largeBodyBytes: number;
  /** The wall clock of this machine minus Postgres', as far as it is known. */
  clockOffsetMs: () => number;
  catalogue: Catalogue | null;
  blobs: BlobStore;
  /** Share of a deployment's sequences that is captured; null: none is. */
  sequenceRateOf: (deploymentId: number) => number | null;
  redactorOf: (deploymentId: number) => DeploymentRedactor;
  /** Whether capture of a deployment is known to be switched off. */
  isOff: (deploymentId: number) => boolean;
  onWork: (workIds: bigint[]) => void;
  log: Logger;
}): CaptureSide {
  const { memory, ended, spoolBytesMax, clockOffsetMs, log } = deps;
  const clock = () => performance.now();
  const onDiskError = sparingly((error) =>
    log.error({ error: messageOf(error) }, "the spool's disk refuses; captures are dropped and counted"),
  );
  const account = createAccount();
  const { holder, live, reservation } = beginEpoch({ ...deps, account, clock, onJournalError: onDiskError });
  const spool = createSpool({ folder: live.folder, clock });
  const reserver = createReserver(reservation, memory.sequences);
  let closedBytes = 0;

  const shipper =
    deps.catalogue === null
      ? null
      : createShipper({
          ...deps,
          catalogue: deps.catalogue,
          onFileDone: (file) => {
            closedBytes -= file.bytes;
          },
        });

  const keep = (epoch: typeof live, files: readonly ClosedFile[]) => {
    for (const file of files) closedBytes += file.bytes;
    if (epoch === live) live.files.push(...files);
    else shipper?.add(epoch);
    if (files.length > 0) shipper?.wake();
  };

  const drain = createDrain({
    ring: createRingConsumer(memory.ring),
    checksum: createSharedChecksum(memory.ring.data),
    spool,
    account,
    nextCut: () => live.cut + 1,
    onCut: (cut) => {
      live.takeCut(cut);
      // At once: under steady traffic the ring never happens to be empty just behind a cut, and nothing would be shipped.
      keep(live, spool.roll(live.cut, clock()));
    },
    hasRoom: (bytes) => closedBytes + spool.bytes + bytes <= spoolBytesMax,
    onSpoolError: onDiskError,
    redactorOf: deps.redactorOf,
    isOff: deps.isOff,
    sequenceRateOf: deps.sequenceRateOf,
    bodyBytesMax: deps.bodyBytesMax,
    clock,
    onRedactionError: sparingly((error) =>
      log.error({ error: redactionFault(error) }, "cannot redact; captures are dropped and counted"),
    ),
  });

  /** Folders that were taken over and could not be read: they are tried again. */
  let unsettled: string[] = [];

  /** Epochs of dead capture sides become ours to ship, one at a time. */
  async function adopt(): Promise<void> {
    if (shipper === null) return;
    const folders = [...unsettled, ...holder.adopt(new Set(ended.map((one) => one.epoch)))];
    unsettled = [];
    for (const adopted of folders) {
      try {
        const known = ended.find((one) => adopted.endsWith(one.epoch))?.received;
        const epoch = await settleEpoch({
          folder: adopted,
          known,
          clockOffsetMs,
          onJournalError: onDiskError,
        });
        log.info({ epoch: epoch.epoch, files: epoch.files.length }, "took up what an earlier gateway left");
        keep(epoch, epoch.files);
      } catch (error) {
        unsettled.push(adopted);
        log.error(
          { folder: adopted, error: messageOf(error) },
          "cannot take up what an earlier gateway left",
        );
      }
    }
  }

  let timer: NodeJS.Timeout | undefined;
  let immediate: NodeJS.Immediate | undefined;
  let adopting: Promise<void> = Promise.resolve();
  let beatAtMs = clock();
  let adoptAtMs = clock();

  function tick(): void {
    const now = clock();
    attempt(() => reserver.tick(now), onDiskError);
    const more = drain.run();
    // Without traffic no cut comes that would tell of it.
    if (drain.sweepSequences() && drain.clean) live.takeCutAgain();
    keep(live, spool.roll(live.cut, now));
    if (now - beatAtMs >= beatEveryMs) {
      beatAtMs = now;
      attempt(() => holder.beat(), onDiskError);
    }
    if (now - adoptAtMs >= adoptEveryMs) {
      adoptAtMs = now;
      adopting = adopting.then(adopt).catch(onDiskError);
    }
    if (more) immediate = setImmediate(tick);
    else timer = setTimeout(tick, tickMs);
  }

  attempt(() => reserver.tick(clock()), onDiskError);
  shipper?.add(live);
  // Not at once: nothing is taken from the ring before the caller knows that the epoch has begun.
  immediate = setImmediate(tick);
  adopting = adopt().catch(onDiskError);

  return {
    stats: () => ({
      spoolBytes: closedBytes + spool.bytes,
      clockOffsetMs: clockOffsetMs(),
      totals: account.totals,
    }),

    async close(deadlineMs) {
      const startedAtMs = clock();
      clearTimeout(timer);
      clearImmediate(immediate);
      while (drain.run());
      drain.endSequences();
      if (drain.clean) live.takeCutAgain();
      keep(live, spool.roll(live.cut, clock(), true));
      attempt(() => reserver.end(), onDiskError);
      // What no cut covers, a later start settles as after a crash.
      if (spool.bytes === 0) await live.end().catch(onDiskError);
      reservation.close();
      await shipper?.finish(Math.max(0, deadlineMs - (clock() - startedAtMs)));
      holder.close();
    },
  };
}

/** Makes the epoch's folder, in full or not at all: a later attempt may begin the same epoch. */
function beginEpoch(deps: {
  root: string;
  epoch: string;
  openedAtMs: number;
  gateway: string;
  account: Account;
  clock: () => number;
  clockOffsetMs: () => number;
  onJournalError: (error: unknown) => void;
}) {
  const { root, epoch, openedAtMs, gateway, account, clock, clockOffsetMs, onJournalError } = deps;
  const identity = {
    epoch,
    gateway,
    startedAtMs: openedAtMs,
    startedMonotonicMs: Number(process.hrtime.bigint() / 1_000_000n) - (Date.now() - openedAtMs),
    bootId: bootId(),
  };
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const holder = createHolder(root, epoch, clock);
  try {
    const folder = join(holder.folder, epoch);
    mkdirSync(folder, { mode: 0o700 });
    writeFileSync(join(folder, epochFiles.identity), JSON.stringify(identity), { flush: true });
    const live = openEpoch({ identity, folder, account, before: null, clockOffsetMs, onJournalError });
    const reservation = openReservation(join(folder, epochFiles.reservation));
    for (const made of [folder, holder.folder, root]) syncFolder(made);
    return { holder, live, reservation };
  } catch (error) {
    rmSync(holder.folder, { recursive: true, force: true });
    throw error;
  }
}

function attempt(act: () => void, onError: (error: unknown) => void): void {
  try {
    act();
  } catch (error) {
    onError(error);
  }
}

function sparingly(complain: (error: unknown) => void): (error: unknown) => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  return (error) => {
    const now = performance.now();
    if (now - lastMs < complainEveryMs) return;
    lastMs = now;
    complain(error);
  };
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}
