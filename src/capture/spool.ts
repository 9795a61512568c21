import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { newId } from "../ids.js";
import type { MinuteCounts } from "./account.js";
import { type ClosedFile, dayNumberOf, parseSpoolFileName, spoolFileName } from "./spool-file.js";

/**
 * Captures of a full segment: so many that what each costs but once (a file, a statement, a job) is little by the side
 * of its captures, at gateway and worker; few enough to be done in seconds. Where less comes in a second, age rolls it.
 */
export const segmentCaptures = 1024;
/** A capture should be comparable within a second or two, however little traffic there is. */
const rollAgeMs = 1_000;
/** A worker holds a segment in memory, several at a time. */
const rollBytes = 16 * 1024 ** 2;

interface OpenFile {
  fd: number;
  name: string;
  deploymentId: number;
  dayNumber: number;
  openedAtMs: number;
  bytes: number;
  captures: number;
  minutes: Map<number, number>;
  /** The newest cut number that its records carry: it may be closed once that cut was made. */
  cut: number;
}

/** Records of one deployment and UTC day, as they lie in the ring. */
export interface SpoolBatch {
  deploymentId: number;
  /** When one of them was received. */
  atMs: number;
  bytes: Buffer;
  /** How many, by minute of receipt. */
  minutes: MinuteCounts;
}

/**
 * The captures of one epoch on local disk: one append-only file per deployment and UTC day, closed only at cuts, so
 * that a cut covers all of a closed file. Nothing is synced: what the kernel took outlives this process, and a file
 * becomes a segment within seconds.
 */
export interface Spool {
  /**
   * Appends records. What fails is taken back as a whole.
   * @throws when the disk refuses
   */
  append(batch: SpoolBatch, cut: number): void;
  /** Closes the files that are due and that the newest cut covers; with `all`, every one that it covers. */
  roll(newestCut: number, nowMs: number, all?: boolean): ClosedFile[];
  /** Bytes in open files. */
  readonly bytes: number;
}

/** @param deps.clock monotonic milliseconds */
export function createSpool(deps: { folder: string; clock: () => number }): Spool {
  const { folder, clock } = deps;
  const files: OpenFile[] = [];

  function fileFor(deploymentId: number, atMs: number): OpenFile {
    const dayNumber = dayNumberOf(atMs);
    for (const file of files) {
      if (file.deploymentId === deploymentId && file.dayNumber === dayNumber) return file;
    }
    const name = spoolFileName(newId(), deploymentId, dayNumber);
    const fd = openSync(join(folder, name), "wx", 0o600);
    const empty = { bytes: 0, captures: 0, minutes: new Map<number, number>(), cut: 0 };
    const opened = { fd, name, deploymentId, dayNumber, openedAtMs: clock(), ...empty };
    files.push(opened);
    return opened;
  }

  function close(file: OpenFile): ClosedFile | null {
    closeSync(file.fd);
    files.splice(files.indexOf(file), 1);
    const path = join(folder, file.name);
    if (file.captures > 0) {
      const { name, bytes, minutes } = file;
      return { path, name, bytes, minutes, ...parseSpoolFileName(name)! };
    }
    rmSync(path, { force: true });
    return null;
  }

  return {
    get bytes() {
      return files.reduce((sum, file) => sum + file.bytes, 0);
    },

    append({ deploymentId, atMs, bytes, minutes }, cut) {
      const file = fileFor(deploymentId, atMs);
      try {
        for (let written = 0; written < bytes.length; ) {
          written += writeSync(file.fd, bytes, written, bytes.length - written, file.bytes + written);
        }
      } catch (error) {
        ftruncateSync(file.fd, file.bytes);
        throw error;
      }
      file.bytes += bytes.length;
      for (const [minuteMs, count] of minutes) {
        file.captures += count;
        file.minutes.set(minuteMs, (file.minutes.get(minuteMs) ?? 0) + count);
      }
      file.cut = cut;
    },

    roll(newestCut, nowMs, all = false) {
      const due = files.filter(
        (file) =>
          file.cut <= newestCut &&
          (all ||
            file.captures >= segmentCaptures ||
            file.bytes >= rollBytes ||
            nowMs - file.openedAtMs >= rollAgeMs),
      );
      return due.map(close).filter((file) => file !== null);
    },
  };
}
