import { appendFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { keptAnswers } from "../../src/answers/keeper.js";
import { readCapture } from "../../src/control/tensors.js";
import { parseRedaction, type Redaction } from "../../src/redaction/settings.js";
import { replayWork } from "../../src/replay/replay-work.js";
import { answer, capture, openReplayWorld, type ReplayWorld, startCandidate } from "./support.js";

const never = new AbortController().signal;

let world: ReplayWorld;
beforeAll(async () => {
  world = await openReplayWorld();
});
afterAll(() => world.close());

/** An answer with a label beside the number. */
const labelled = (y: number, label: string) => {
  const said = JSON.parse(answer(y));
  said.outputs.push({ name: "label", datatype: "BYTES", shape: [1], data: [label] });
  return JSON.stringify(said);
};

async function shadow(redaction: Partial<Redaction>, body: string) {
  const candidate = await startCandidate((_, response) => response.end(body));
  onTestFinished(() => candidate.close());
  const { deployment, candidates } = await world.addDeployment(candidate.url);
  await world.store.registry.updateDeployment(deployment.name, { redaction: parseRedaction(redaction) });
  return { candidate, deployment, runId: candidates[0]!.liveRunId };
}

describe("captures whose model input was redacted", () => {
  test.each([
    [false, ["input:x"], "not_replayed", "redacted", 0],
    [true, ["input:x"], "compared", null, 1],
    [false, ["parameter:user"], "not_replayed", "redacted", 0],
    [false, ["json:$.id"], "not_replayed", "redacted", 0],
    [false, ["header:x-request-id", "output:label", "response-error"], "compared", null, 1],
    [false, [], "compared", null, 1],
  ])("replayRedacted %s, %j: %s", async (replayRedacted, redacted, disposition, reason, received) => {
    const { candidate, deployment } = await shadow({ replayRedacted }, answer(1));
    const { workId } = await world.addSegment(deployment.id, [capture(1, { redacted })]);
    expect((await replayWork(world.worker(), workId, never)).end).toBe("committed");
    expect(await world.outcomes(workId)).toMatchObject([{ disposition, reason }]);
    expect(candidate.received).toHaveLength(received);
  });
});

describe("outputs that were redacted", () => {
  const rules: Redaction["rules"] = [{ target: { output: "label" }, action: "mask" }];
  const captured = (redacted: string[]) =>
    capture(1, { redacted, responseBody: Buffer.from(labelled(1, "[redacted]")) });

  test("are not judged, and the candidate's own is not kept either", async () => {
    const { deployment } = await shadow({ rules }, labelled(1, "the candidate's secret"));
    const { workId } = await world.addSegment(deployment.id, [captured(["output:label"])]);
    await replayWork(world.worker(), workId, never);
    const [outcome] = await world.outcomes(workId);
    expect(outcome).toMatchObject({ disposition: "compared", result: "match" });
    const diffs = await world.prisma.outputDiff.findMany({
      where: { captureId: outcome!.captureId },
      orderBy: { output: "asc" },
    });
    expect(diffs).toMatchObject([
      { output: "label", result: "ignored" },
      { output: "y", result: "match" },
    ]);
    const { answersKey, answersSha256 } = await world.workState(workId);
    const kept = await keptAnswers(world.blobs, { key: answersKey!, sha256: answersSha256! });
    const told = kept.get(outcome!.captureId)!;
    expect(told.ok && Buffer.from(told.body).toString()).toContain("[redacted]");
    expect(told.ok && Buffer.from(told.body).toString()).not.toContain("secret");
  });

  test("a divergence elsewhere is seen all the same", async () => {
    const { deployment } = await shadow({ rules }, labelled(2, "other"));
    const { workId } = await world.addSegment(deployment.id, [captured(["output:label"])]);
    await replayWork(world.worker(), workId, never);
    expect(await world.outcomes(workId)).toMatchObject([{ result: "mismatch", kind: "value" }]);
  });

  test("dropped to the last one, there is nothing to judge", async () => {
    const drop: Redaction["rules"] = [{ target: { output: "y" }, action: "drop" }];
    const { deployment } = await shadow({ rules: drop }, answer(2));
    const responseBody = Buffer.from('{"model_name":"m","model_version":"1","outputs":[]}');
    const { workId } = await world.addSegment(deployment.id, [
      capture(1, { redacted: ["output:y"], responseBody }),
    ]);
    await replayWork(world.worker(), workId, never);
    expect(await world.outcomes(workId)).toMatchObject([{ result: "ignored" }]);
  });

  test("an answer that cannot be redacted is a failure, and nothing of it is kept", async () => {
    const { deployment } = await shadow({ rules }, "the candidate's secret, and no JSON");
    const { workId } = await world.addSegment(deployment.id, [captured(["output:label"])]);
    await replayWork(world.worker(), workId, never);
    const [outcome] = await world.outcomes(workId);
    expect(outcome).toMatchObject({ disposition: "candidate_error", reason: "protocol_error" });
    expect(JSON.stringify(outcome!.details)).not.toContain("secret");
  });
});

describe("bodies that are stored apart", () => {
  const large = 64;
  test("are fetched for replays, each stored once", async () => {
    const { candidate, deployment } = await shadow({}, answer(1));
    const captures = [capture(1), capture(1), capture(2)];
    const { workId, blobKey, bodies } = await world.addSegment(deployment.id, captures, large);
    expect(bodies.map(({ refs }) => refs).sort()).toEqual([1, 1, 2, 2]);
    expect((await replayWork(world.worker(), workId, never)).end).toBe("committed");
    expect(candidate.received.map(({ x }) => x)).toEqual([1, 1, 2]);
    const { sha256 } = await world.prisma.segment.findFirstOrThrow({ where: { blobKey } });
    const read = await readCapture(world.blobs, { blobKey, sha256, row: 2 }, captures[2]!.id);
    expect(Buffer.from(read.responseBody).toString()).toBe(answer(2));
  });

  test.each<[string, string, (path: string) => Promise<void>]>([
    ["flipped", "blob_corrupt", (path) => appendFile(path, "x")],
    ["gone", "blob_missing", (path) => rm(path)],
  ])("one that is %s makes the work dead: %s, and nothing is compared", async (_, code, spoil) => {
    const { candidate, deployment } = await shadow({}, answer(1));
    const { workId, bodies } = await world.addSegment(deployment.id, [capture(1)], large);
    await spoil(join(world.folder, bodies[0]!.key));
    expect((await replayWork(world.worker(), workId, never)).end).toBe("dead");
    expect((await world.workState(workId)).error).toContain(code);
    expect(candidate.received).toEqual([]);
  });
});
