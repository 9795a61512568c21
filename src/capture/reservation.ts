import { closeSync, fdatasync, openSync, readFileSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { deploymentsMax } from "./sequences.js";

/**
 * The file in which a gateway reserves numbers of requests ahead of use: per deployment, a count that its requests
 * will not pass before a higher one is written here. After a crash, what is reserved and not accounted for is `lost`.
 *
 * Of fixed size, all of it written when it is made, so that a full disk does not stand in its way. Two halves are
 * written in turn; the newer sound one holds. A write reaches the page cache at once, which outlives the process, and
 * the disk soon after: a power cut may cost the last fraction of a second.
 */
const entryBytes = 16;
const headerBytes = 16;
const halfBytes = headerBytes + deploymentsMax * entryBytes;

export interface Reservation {
  /** @throws when the disk refuses */
  write(reserved: ReadonlyMap<number, number>): void;
  close(): void;
}

export function openReservation(path: string): Reservation {
  const fd = openSync(path, "w+", 0o600);
  writeAll(fd, Buffer.alloc(2 * halfBytes), 0);
  const half = Buffer.alloc(halfBytes);
  let generation = 0;
  let syncing = false;
  let closed = false;

  function syncSoon(): void {
    if (syncing) return;
    syncing = true;
    fdatasync(fd, () => {
      syncing = false;
      if (closed) closeSync(fd);
    });
  }

  return {
    write(reserved) {
      generation += 1;
      let end = headerBytes;
      for (const [deploymentId, count] of reserved) {
        half.writeDoubleLE(deploymentId, end);
        half.writeDoubleLE(count, end + 8);
        end += entryBytes;
      }
      half.writeUInt32LE(end, 4);
      half.writeDoubleLE(generation, 8);
      half.writeUInt32LE(crc32(half.subarray(4, end)), 0);
      writeAll(fd, half.subarray(0, end), (generation % 2) * halfBytes);
      syncSoon();
    },
    close() {
      closed = true;
      // A descriptor may not be closed under a sync that is under way.
      if (!syncing) closeSync(fd);
    },
  };
}

function writeAll(fd: number, bytes: Buffer, at: number): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(fd, bytes, written, bytes.length - written, at + written);
  }
}

/** The counts reserved per deployment; empty when there is no sound half, as before the first write. */
export function readReservation(path: string): Map<number, number> {
  const data = readFileSync(path);
  let newest = { generation: 0, reserved: new Map<number, number>() };
  for (const from of [0, halfBytes]) {
    const half = data.subarray(from, from + halfBytes);
    if (half.length < headerBytes) continue;
    const end = half.readUInt32LE(4);
    const generation = half.readDoubleLE(8);
    if (end < headerBytes || end > half.length || generation <= newest.generation) continue;
    if (crc32(half.subarray(4, end)) !== half.readUInt32LE(0)) continue;
    const reserved = new Map<number, number>();
    for (let at = headerBytes; at < end; at += entryBytes) {
      reserved.set(half.readDoubleLE(at), half.readDoubleLE(at + 8));
    }
    newest = { generation, reserved };
  }
  return newest.reserved;
}
