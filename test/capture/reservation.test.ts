import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openReservation, readReservation } from "../../src/capture/reservation.js";
import { createReserver } from "../../src/capture/reserver.js";
import { createSequenceMemory, createSequenceWriter } from "../../src/capture/sequences.js";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "understudy-reservation-"));
  path = join(folder, "reserved");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the newest write is read; if it is torn, the one before", () => {
  const reservation = openReservation(path);
  expect(readReservation(path).size).toBe(0);
  for (let round = 1; round <= 5; round++) {
    reservation.write(
      new Map([
        [7, round * 100],
        [8, round],
      ]),
    );
    expect([...readReservation(path)]).toEqual([
      [7, round * 100],
      [8, round],
    ]);
  }
  reservation.close();
  // The fifth lies in the second half.
  const half = 16 + 4_096 * 16;
  const fd = openSync(path, "r+");
  writeSync(fd, "torn", half + 20);
  closeSync(fd);
  expect([...readReservation(path)]).toEqual([
    [7, 400],
    [8, 4],
  ]);
});

test("what is reserved stays ahead of what is received, and comes down when the traffic does", () => {
  const memory = createSequenceMemory();
  const writer = createSequenceWriter(memory);
  const reservation = openReservation(path);
  const reserver = createReserver(reservation, memory);
  const slot = writer.open(7);
  let received = 0;
  let most = 0;
  for (let ms = 0; ms < 5_000; ms += 10) {
    // 20,000 a second for two seconds, then one a second.
    received += ms < 2_000 ? 200 : ms % 1_000 === 0 ? 1 : 0;
    const reserved = readReservation(path).get(7) ?? 0;
    if (ms > 0) expect(reserved).toBeGreaterThanOrEqual(received);
    writer.publish(slot, received);
    reserver.tick(ms);
    most = Math.max(most, (readReservation(path).get(7) ?? 0) - received);
  }
  expect(most).toBeGreaterThan(5_000);
  expect(readReservation(path).get(7)! - received).toBeLessThanOrEqual(512);
  reserver.end();
  expect(readReservation(path).get(7)).toBe(received);
  reservation.close();
});
