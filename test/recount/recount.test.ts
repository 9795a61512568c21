import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { epochFiles } from "../../src/capture/epoch.js";
import { createStamp, encodeRecord } from "../../src/capture/record.js";
import { spoolFileName } from "../../src/capture/spool-file.js";
import { newId } from "../../src/ids.js";
import { cliMain } from "../../src/paths.js";
import { recount } from "../../src/recount/recount.js";
import { capture, openReplayWorld, type ReplayWorld } from "../replay/support.js";
import { captureRow, ledgerMinute, noonMs, outcomeRow, segmentCommit } from "../store/support.js";

let world: ReplayWorld;
beforeAll(async () => {
  world = await openReplayWorld();
});
afterAll(() => world.close());

/** Two segments of three captures, one of them judged; a third lies in the spool of a gateway. */
async function openScene() {
  const { deployment } = await world.addDeployment("http://127.0.0.1:9");
  const captures = [0, 1, 2].map((x) => capture(x));
  const { workId, blobKey } = await world.addSegment(deployment.id, captures);
  await world.addSegment(
    deployment.id,
    [3, 4, 5].map((x) => capture(x)),
  );
  const work = (await world.store.work.lease(workId, "test", 60_000))!;
  const rows = captures.map(({ id, receivedAtMs }, row) => {
    const over = row === 0 ? { disposition: "candidate_error" as const, reason: "timeout" } : {};
    return outcomeRow(captureRow(row, { id, receivedAtMs }), over);
  });
  const commit = { workId, lease: work.lease, judgedAtMs: noonMs, rows };
  expect(await world.store.outcomes.commitWork(commit)).toBe("committed");

  const dataDir = await mkdtemp(join(tmpdir(), "understudy-recount-"));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const { cut } = segmentCommit(deployment.id, [captureRow(0)]);
  const counts = [ledgerMinute(deployment.id, noonMs, { received: 2, buffered: 2 })];
  await world.store.catalogue.shipCut({ ...cut, counts });
  const folder = join(dataDir, "gateway", cut.epoch);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, epochFiles.identity), JSON.stringify({ epoch: cut.epoch }));
  const spool = join(folder, spoolFileName(newId(), deployment.id, 20_000));
  await writeFile(spool, Buffer.concat([record(deployment.id, 1), record(deployment.id, 2)]));
  return { deployment, dataDir, spool, blobKey, id: deployment.id };
}

function record(deploymentId: number, sequence: number): Buffer {
  const data = encodeRecord(
    {
      ...{
        deploymentId,
        sequence,
        receivedAtMs: noonMs,
        primaryMs: 1,
        status: 200,
        sample: "base",
        rule: "",
      },
      ...{ gaps: null, method: "POST", path: "/v2/models/m/infer", requestHeaders: [], responseHeaders: [] },
      ...{ requestChunks: [], requestBytes: 0, responseChunks: [], responseBytes: 0 },
    },
    { redacted: [], subject: null, sequencePlace: null },
  );
  createStamp()(data, 0, data.length, 1);
  return data;
}

type Scene = Awaited<ReturnType<typeof openScene>>;
const sql = (text: string) => world.prisma.$executeRawUnsafe(text);
const ofRun = ({ id }: Scene) => `run_id IN (SELECT id FROM runs WHERE deployment_id = ${id})`;

test.each<[string, (scene: Scene) => Promise<unknown>, object[]]>([
  ["nothing", async () => {}, []],
  [
    "the segment's file",
    ({ blobKey }) => world.blobs.delete(blobKey),
    [
      {
        what: expect.stringMatching(/^segment /),
        ledger: 3,
        counted: 0,
        why: expect.stringContaining("No blob"),
      },
    ],
  ],
  [
    "a byte of the segment's file",
    async ({ blobKey }) => {
      const bytes = await world.blobs.get(blobKey);
      bytes[9]! ^= 1;
      await world.blobs.put(blobKey, bytes);
    },
    [{ ledger: 3, counted: 0, why: expect.stringContaining("SHA-256") }],
  ],
  [
    "the rollups",
    (scene) =>
      sql(`UPDATE rollup_deltas
        SET counts[array_position(labels, 'compared')] = counts[array_position(labels, 'compared')] + 1
        WHERE series = 'dispositions' AND ${ofRun(scene)}`),
    [{ what: "2026-11-20: c0, compared", ledger: 3, counted: 2 }],
  ],
  [
    "an outcome",
    (scene) => sql(`DELETE FROM outcomes WHERE disposition = 'candidate_error' AND ${ofRun(scene)}`),
    [
      { what: "2026-11-20: c0, candidate_error:timeout", ledger: 1, counted: 0 },
      { what: "2026-11-20: c0, pending", ledger: 3, counted: 4 },
    ],
  ],
  [
    "a row of captures",
    ({ id }) =>
      sql(`DELETE FROM captures WHERE "row" = 2 AND segment_id =
        (SELECT max(id::text)::uuid FROM segments WHERE deployment_id = ${id})`),
    [
      { what: "2026-11-20: captured", ledger: 6, counted: 5 },
      { what: "2026-11-20: c0, pending", ledger: 3, counted: 2 },
      { what: expect.stringContaining("rows of captures"), ledger: 3, counted: 2 },
      { what: expect.stringContaining("captures without a row"), ledger: 0, counted: 1 },
    ],
  ],
  [
    "the tail of the spool",
    async ({ spool, id }) => writeFile(spool, record(id, 1)),
    [{ what: expect.stringContaining("spool of gateway epoch"), ledger: 2, counted: 1 }],
  ],
])("spoilt: %s", async (_what, spoil, differences) => {
  const scene = await openScene();
  await spoil(scene);
  const deps = { reader: world.store.recount, blobs: world.blobs, dataDirs: [scene.dataDir] };
  const found = await recount(deps, scene.id);
  expect(found.differences).toEqual(differences.map((difference) => expect.objectContaining(difference)));
  if (differences.length === 0) {
    const whole = { days: 1, segments: 2, captured: 6, outcomes: 3, spooled: 2, spoolsElsewhere: [] };
    expect(found).toEqual({ ...whole, differences: [] });
  }
});

test("the command's exit codes", async () => {
  const scene = await openScene();
  const understudy = (name: string, ...args: string[]) =>
    new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
      const env = {
        PATH: process.env.PATH,
        DATABASE_URL: world.url,
        UNDERSTUDY_BLOBS: `file:${world.folder}`,
        UNDERSTUDY_DATA_DIR: scene.dataDir,
      };
      execFile(process.execPath, [cliMain, "recount", name, ...args], { env }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stdout, stderr }),
      );
    });
  const { name } = scene.deployment;
  expect(await understudy(name)).toMatchObject({ code: 0, stdout: expect.stringContaining("is confirmed") });
  const elsewhere = await understudy(name, "--json", "--spool", join(scene.dataDir, "nowhere"));
  expect(elsewhere.code).toBe(0);
  expect(JSON.parse(elsewhere.stdout)).toMatchObject({ equal: true, spoolsElsewhere: [expect.any(String)] });
  await world.blobs.delete(scene.blobKey);
  const differs = await understudy(name, "--json");
  expect(differs.code).toBe(1);
  expect(JSON.parse(differs.stdout)).toMatchObject({
    deployment: name,
    equal: false,
    differences: [{ counted: 0 }],
  });
  expect(await understudy("nobody")).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining("nobody"),
  });
});
