import { rmSync } from "node:fs";
import { join } from "node:path";
import type { LedgerCut, LedgerMinute } from "../store/types.js";
import type { Account, AccountMinute } from "./account.js";
import type { ServedCut } from "./cut.js";
import { type JournalRecord, type JournalState, openJournal, type SentFile } from "./journal.js";
import type { ClosedFile } from "./spool-file.js";

/** Who an epoch belongs to; kept beside its journal. */
export interface EpochIdentity {
  /** UUID of one life of one gateway's capture side. */
  epoch: string;
  /** Name of the gateway, for people. */
  gateway: string;
  /** Wall clock at its start, and the monotonic clock of this boot at the same moment. */
  startedAtMs: number;
  startedMonotonicMs: number;
  bootId: string;
}

export const epochFiles = { identity: "epoch.json", journal: "journal", reservation: "reserved" } as const;

/** Shipments that may go out under one cut; each has a number of its own, so that a later one wins. */
const shipmentsPerCut = 2 ** 20;

/** One life of a capture side: its account, as journalled, and the spool files that are still to be shipped. */
export interface Epoch extends EpochIdentity {
  readonly folder: string;
  readonly account: Account;
  /** Closed files, the oldest first. */
  readonly files: ClosedFile[];
  readonly state: LedgerCut["state"];
  /** Number of the newest cut. */
  readonly cut: number;
  /** Takes over a cut, and journals it. */
  takeCut(cut: ServedCut): void;
  /** The newest cut again, with what the capture side has settled since: it must have taken nothing new in between. */
  takeCutAgain(): void;
  /** The epoch has ended in order, and everything is accounted for. */
  end(): Promise<void>;
  /** Whether a file was being sent when an earlier process died, and has not been sent again. */
  readonly isSending: boolean;
  /**
   * A shipment's minutes as a cut for Postgres, once the journal on disk says the same: what is shipped must not be
   * forgotten by a crash, the account would fall behind Postgres'. Each call outranks those before. Cuts that are taken
   * meanwhile are no part of it.
   * @throws when the disk refuses
   */
  syncedCut(minutes: LedgerMinute[]): Promise<LedgerCut>;
  /**
   * A file is about to be shipped: after a crash it goes first, for until it is sent again no other cut is right.
   * Returns whether that was said before already: then its segment may be catalogued.
   */
  beginSending(file: ClosedFile): boolean;
  /**
   * A file has been shipped, which changed these minutes: it is deleted once the journal on disk says so, else a power
   * cut would leave neither. If the disk refuses, it is deleted with a later one. Never throws: what was shipped must
   * not be shipped anew by this epoch.
   */
  fileDone(file: ClosedFile, changed: AccountMinute[]): Promise<void>;
  close(): void;
}

export function openEpoch(deps: {
  identity: EpochIdentity;
  folder: string;
  account: Account;
  /** What a journal that lies there says; of an epoch that begins, nothing. */
  before: JournalState | null;
  /** The wall clock of this machine minus Postgres'. */
  clockOffsetMs: () => number;
  onJournalError: (error: unknown) => void;
}): Epoch {
  const { identity, folder, account, before, clockOffsetMs, onJournalError } = deps;
  const received = new Map(before?.received);
  /** Shipped, and not yet known to be deleted. */
  const done = new Set(before?.done);
  const newest = {
    cut: before?.cut ?? 0,
    atMs: before?.atMs ?? identity.startedAtMs,
    sequence: before?.sequence ?? 0,
  };
  let sending: SentFile | null = before?.sending ?? null;
  let ended: JournalRecord["ended"] = before?.ended ?? null;
  let shipments = 0;

  const record = (part: Pick<JournalRecord, "received" | "minutes">): JournalRecord => ({
    ...newest,
    ...part,
    done: [...done],
    sending,
    ended,
  });
  const journal = openJournal(join(folder, epochFiles.journal), () =>
    record({ received: [...received], minutes: account.minutes() }),
  );

  function append(part: Pick<JournalRecord, "received" | "minutes">): boolean {
    try {
      journal.append(record(part));
      return true;
    } catch (error) {
      onJournalError(error);
      return false;
    }
  }

  return {
    ...identity,
    folder,
    account,
    files: [],
    get state() {
      return ended ?? "live";
    },
    get cut() {
      return newest.cut;
    },

    takeCut(served) {
      newest.cut += 1;
      newest.atMs = served.atMs;
      newest.sequence = served.sequence;
      for (const [deploymentId, count] of served.received) received.set(deploymentId, count);
      append({ received: served.received, minutes: account.cut(served.minutes) });
    },

    takeCutAgain() {
      newest.cut += 1;
      append({ received: [], minutes: account.cut([]) });
    },

    async end() {
      ended = "closed";
      append({ received: [], minutes: [] });
      await journal.sync();
    },

    get isSending() {
      return sending !== null && !done.has(sending.name);
    },

    async syncedCut(minutes) {
      shipments += 1;
      const cut: LedgerCut = {
        epoch: identity.epoch,
        gateway: identity.gateway,
        startedAtMs: identity.startedAtMs,
        sequence: newest.cut * shipmentsPerCut + shipments,
        cutAtMs: newest.atMs,
        clockOffsetMs: clockOffsetMs(),
        state: ended ?? "live",
        counts: minutes,
      };
      await journal.sync();
      return cut;
    },

    beginSending(file) {
      if (sending?.name === file.name) return true;
      sending = { name: file.name, minutes: [...file.minutes] };
      append({ received: [], minutes: [] });
      return false;
    },

    async fileDone(file, changed) {
      done.add(file.name);
      sending = null;
      append({ received: [], minutes: changed });
      try {
        await journal.sync();
        for (const name of done) rmSync(join(folder, name), { force: true });
        done.clear();
      } catch (error) {
        onJournalError(error);
      }
    },

    close: () => journal.close(),
  };
}
