import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readSegment } from "../../src/capture/segment.js";
import { eventually } from "../support/product.js";
import { mountSmallDisk } from "./small-disk.js";
import { echoModel } from "./upstream.js";
import { openGatewayWorld } from "./world.js";

/** Bodies that no compression makes smaller. */
const requestOf = (bytes: number) =>
  JSON.stringify({
    inputs: [
      { name: "text", datatype: "BYTES", shape: [1], data: [randomBytes(bytes).toString("base64")] },
      { name: "x", datatype: "FP32", shape: [1], data: [1] },
    ],
  });

/** A gateway, one of whose folders is a disk of so many bytes; null where none can be mounted. */
async function openOn(folder: "spool" | "blobs", bytes: number) {
  const dataDir = await mkdtemp(join(tmpdir(), "understudy-disk-"));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const disk = mountSmallDisk(join(dataDir, folder), bytes);
  if (disk === null) return null;
  const world = await openGatewayWorld({ deployments: { m: {} }, primary: echoModel, dataDir });
  onTestFinished(async () => {
    await world.gateway.close();
    disk.unmount();
    await world.close();
  });
  /** Sends bodies one after the other; each must be answered as the primary answers. */
  const send = async (bodies: readonly string[]) => {
    for (const body of bodies) {
      const answer = await world.post("m", body);
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body.toString()).outputs[0].data).toEqual([body.length]);
    }
  };
  return { world, disk, dataDir, send };
}

test("the spool's disk is full: clients see nothing, what does not fit is dropped and counted, no half capture", async (context) => {
  const opened = await openOn("spool", 1024 ** 2);
  if (opened === null) return context.skip();
  const { world, send } = opened;
  const bodies = Array.from({ length: 60 }, () => requestOf(60_000));
  await send(bodies);
  const ledger = await world.settled("m", bodies.length);
  // It fired, and not for every one.
  expect(ledger.dropped.spool_error).toBeGreaterThan(0);
  expect(ledger.captured).toBeGreaterThan(0);
  expect(ledger.captured + ledger.dropped.spool_error!).toBe(bodies.length);
  expect(ledger.balanced).toBe(true);
  const captures = await world.capturesOf("m");
  expect(captures).toHaveLength(ledger.captured);
  const sent = new Set(bodies);
  for (const capture of captures) expect(sent.has(Buffer.from(capture.requestBody).toString())).toBe(true);

  // What was there is shipped and gone: there is room again.
  await send([requestOf(10)]);
  expect((await world.settled("m", bodies.length + 1)).captured).toBe(ledger.captured + 1);
});

test("the blob store's disk is full: clients see nothing, no half segment is there, and after relief all arrives", async (context) => {
  const opened = await openOn("blobs", 512 * 1024);
  if (opened === null) return context.skip();
  const { world, disk, dataDir, send } = opened;
  const bodies = Array.from({ length: 24 }, (_, index) => requestOf(index % 8 === 0 ? 300_000 : 60_000));
  await send(bodies);
  const stuck = await eventually(
    () => world.ledgerOf("m"),
    (ledger) => ledger.received === bodies.length && ledger.inFlight === 0,
    { withinMs: 15_000, everyMs: 50 },
  );
  // It fired: more was sent than fits, so some cannot have arrived.
  expect(stuck.buffered).toBeGreaterThan(0);
  expect(stuck.balanced).toBe(true);
  const files = (await readdir(join(dataDir, "blobs"), { recursive: true, withFileTypes: true })).filter(
    (entry) => entry.isFile(),
  );
  for (const file of files.filter(({ name }) => name.endsWith(".parquet"))) {
    expect((await readSegment(await readFile(join(file.parentPath, file.name)))).length).toBeGreaterThan(0);
  }

  disk.grow(64 * 1024 ** 2);
  const ledger = await eventually(
    () => world.ledgerOf("m"),
    (one) => one.buffered === 0,
    { withinMs: 30_000, everyMs: 100 },
  );
  expect(ledger).toMatchObject({ captured: bodies.length, dropped: {}, balanced: true });
  const captures = await world.capturesOf("m");
  expect(captures.map(({ requestBody }) => Buffer.from(requestBody).toString()).sort()).toEqual(
    [...bodies].sort(),
  );
});
