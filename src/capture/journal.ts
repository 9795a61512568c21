import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import type { AccountMinute } from "./account.js";
import { syncFolder } from "./sync-folder.js";

/**
 * The account of an epoch on disk: an append-only file of records, each with its length and checksum. It says what was
 * known at the newest cut, should the process die. A record whose end is torn off counts for nothing.
 */
export interface JournalRecord {
  /** Number of the newest cut. */
  cut: number;
  atMs: number;
  /** The first sequence number that is not in the account. */
  sequence: number;
  /** Requests of each deployment that the account holds. */
  received: [deploymentId: number, count: number][];
  /** Minutes that changed, as of this cut. */
  minutes: AccountMinute[];
  /** Spool files that are done with, and only to be deleted. */
  done: string[];
  /** The spool file that is being shipped: its segment may be catalogued although nobody here was told so. */
  sending: SentFile | null;
  /** How the epoch ended; null while it lives. */
  ended: "closed" | "settled" | null;
}

/** A spool file, and the records it had when it was closed: the disk may lose some of them. */
export interface SentFile {
  name: string;
  minutes: [minuteMs: number, count: number][];
}

export interface Journal {
  /** @throws when the disk refuses; the next append or sync then writes everything, this record's content included */
  append(record: JournalRecord): void;
  /**
   * Brings what was appended onto the disk; also what a full disk refused, into room that is set aside for it.
   * @throws when that is not possible: then the newest record is not there
   */
  sync(): Promise<void>;
  close(): void;
}

const frameHeader = 8;
/** Above this the journal is written anew with only what still matters. */
const journalBytesMax = 4 * 1024 ** 2;
/** Room that is set aside beyond the bytes of the journal, and the least by which it grows. */
const spareBytes = 256 * 1024;
const zeros = Buffer.alloc(64 * 1024);

/**
 * Opens a journal for appending; a torn tail is cut off. Beside it lies a spare of zeros, as long as the journal and
 * more, into which it is written anew: a full disk cannot refuse that. Nothing that a full disk holds could be deleted
 * otherwise, since the journal must say so first.
 *
 * @param everything the whole state as one record, for writing the journal anew
 */
export function openJournal(path: string, everything: () => JournalRecord): Journal {
  let fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  let { bytes } = readJournal(path);
  ftruncateSync(fd, bytes);
  // A refused record may lie there in part, and the records after it build upon it.
  let incomplete = false;
  let syncing: Promise<void> = Promise.resolve();

  const sparePath = `${path}.new`;
  const openSpare = () => openSync(sparePath, "w", 0o600);
  let spare: number | null = null;
  let spareSize = 0;
  let closed = false;
  setAside();

  /** Makes the spare as long as it should be, or as the disk allows: should that not do, renewing says so. */
  function setAside(): void {
    const wanted = bytes + spareBytes;
    try {
      spare ??= openSpare();
      while (spareSize < wanted) spareSize += writeSync(spare, zeros, 0, zeros.length, spareSize);
    } catch {}
  }

  /** A descriptor may not be closed under a sync that is under way. */
  const closeAfterSync = (old: number) => syncing.then(() => closeSync(old));

  function renew(): void {
    spare ??= openSpare();
    try {
      bytes = writeFrame(spare, 0, everything());
      fdatasyncSync(spare);
      renameSync(sparePath, path);
    } catch (error) {
      // What was written of it may not be taken for records behind a shorter one.
      ftruncateSync(spare, 0);
      spareSize = 0;
      setAside();
      throw error;
    }
    const old = fd;
    fd = spare;
    spare = null;
    spareSize = 0;
    // What the new journal does not need becomes the next spare at once, and the rest of it where the old one was.
    ftruncateSync(fd, bytes);
    setAside();
    void closeAfterSync(old).then(() => closed || setAside());
    syncFolder(dirname(path));
  }

  return {
    append(record) {
      try {
        if (incomplete || bytes > journalBytesMax) renew();
        else bytes += writeFrame(fd, bytes, record);
        incomplete = false;
        if (bytes > spareSize) setAside();
      } catch (error) {
        incomplete = true;
        throw error;
      }
    },
    async sync() {
      do {
        if (incomplete) {
          renew();
          incomplete = false;
        }
        let failure: Error | null = null;
        const subject = fd;
        syncing = syncing.then(
          () =>
            new Promise((resolve) =>
              fdatasync(subject, (error) => {
                failure = error;
                resolve();
              }),
            ),
        );
        await syncing;
        if (failure !== null) {
          // The kernel tells of it once: the next sync may not take its silence for the bytes of this one.
          incomplete = true;
          throw failure;
        }
        // What was refused meanwhile is part of the account that will be shipped.
      } while (incomplete);
    },
    close() {
      closed = true;
      if (spare !== null) closeSync(spare);
      void closeAfterSync(fd);
    },
  };
}

function writeFrame(fd: number, at: number, record: JournalRecord): number {
  const text = Buffer.from(JSON.stringify(record));
  const frame = Buffer.allocUnsafe(frameHeader + text.length);
  frame.writeUInt32LE(text.length, 0);
  frame.writeUInt32LE(crc32(text), 4);
  frame.set(text, frameHeader);
  for (let written = 0; written < frame.length; ) {
    written += writeSync(fd, frame, written, frame.length - written, at + written);
  }
  return frame.length;
}

/** Reads the sound records of a journal, in order, and how many bytes they take. */
export function readJournal(path: string): { records: JournalRecord[]; bytes: number } {
  const data = readFileSync(path);
  const records: JournalRecord[] = [];
  let at = 0;
  while (at + frameHeader <= data.length) {
    const length = data.readUInt32LE(at);
    const end = at + frameHeader + length;
    const text = data.subarray(at + frameHeader, end);
    // A power cut can leave zeros, and the checksum of nothing is 0.
    if (length === 0 || end > data.length || crc32(text) !== data.readUInt32LE(at + 4)) break;
    records.push(JSON.parse(text.toString()) as JournalRecord);
    at = end;
  }
  return { records, bytes: at };
}

/** What the records of a journal say together. */
export interface JournalState {
  cut: number;
  atMs: number;
  sequence: number;
  received: Map<number, number>;
  minutes: AccountMinute[];
  done: Set<string>;
  sending: SentFile | null;
  ended: JournalRecord["ended"];
}

export function foldJournal(records: readonly JournalRecord[]): JournalState {
  const minutes = new Map<string, AccountMinute>();
  const state = {
    cut: 0,
    atMs: 0,
    sequence: 0,
    received: new Map<number, number>(),
    done: new Set<string>(),
    sending: null as SentFile | null,
  };
  let ended: JournalRecord["ended"] = null;
  for (const record of records) {
    state.cut = record.cut;
    state.atMs = record.atMs;
    state.sequence = record.sequence;
    state.sending = record.sending;
    ended = record.ended;
    for (const [deploymentId, count] of record.received) state.received.set(deploymentId, count);
    for (const name of record.done) state.done.add(name);
    for (const minute of record.minutes) {
      minutes.set(`${minute.served.deploymentId}:${minute.served.minuteMs}`, minute);
    }
  }
  return { ...state, minutes: [...minutes.values()], ended };
}
