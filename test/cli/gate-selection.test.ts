import type { ServerResponse } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { gate as gateSchema } from "../../src/control/api.js";
import type { Child } from "../../src/process/child.js";
import {
  addRecorded,
  openServedWorld,
  type ServedWorld,
  startV2Candidate,
  understudy,
  wrongFor,
} from "../gate/served.js";
import { answer, description, type Received } from "../replay/support.js";
import { noonMs } from "../store/support.js";
import { startWorker } from "../workers/processes.js";

let world: ServedWorld;
const running: Child[] = [];
beforeAll(async () => {
  world = await openServedWorld();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((worker) => worker.stop()));
});
afterAll(() => world.close());

async function start(): Promise<Child> {
  const worker = await startWorker(world);
  running.push(worker);
  return worker;
}

const right = wrongFor(() => false);

/** Recorded traffic, sealed as `all`, and a candidate for it. */
async function sealed(n: number, act: (received: Received, response: ServerResponse) => void = right) {
  const candidate = await startV2Candidate(act);
  onTestFinished(() => candidate.close());
  const recorded = await addRecorded(world, n, candidate.url);
  const { name } = recorded;
  await world.store.registry.changeCandidate(name, "c0", { flow: { concurrency: 8 } });
  const selection = await world.store.selections.create({
    deployment: name,
    name: "all",
    filter: {},
    seal: true,
  });
  const sent = () =>
    candidate.received.filter(({ path }) => path.endsWith("/infer")).map((received) => received.x);
  return { ...recorded, selection, candidate, sent };
}

const gate = (name: string, ...more: string[]) =>
  understudy(world.origin, ["gate", name, "--candidate", "c0", "--selection", "all", "--json", ...more]);

const limits = ["--max-diff-rate", "5%", "--min-samples", "300"];

test("stops as soon as the verdict is certain; the next gate uses what was replayed, and goes on from there", async () => {
  await start();
  const { name, sent } = await sealed(3_000);
  const first = await gate(name, ...limits);
  expect(first.code).toBe(0);
  const { report, run } = gateSchema.parse(JSON.parse(first.stdout));
  expect(report).toMatchObject({
    selection: { name: "all", members: 3_000 },
    run: { kind: "replay" },
    coverage: 1,
    ledger: { planned: 3_000, balanced: true },
  });
  expect(report!.selection!.read).toBeGreaterThanOrEqual(300);
  expect(report!.selection!.read).toBeLessThan(1_500);
  expect(report!.counts).toMatchObject({
    captured: report!.selection!.read,
    matches: report!.selection!.read,
  });
  expect(first.stderr).toMatch(/gate \d+ done {2}read [\d,]+ of 3,000/);
  await vi.waitFor(async () => expect((await world.store.replays.get(run)).state).toBe("paused"), {
    timeout: 30_000,
  });
  await vi.waitFor(
    async () => expect(await world.prisma.work.count({ where: { runId: run, state: "leased" } })).toBe(0),
    { timeout: 30_000 },
  );

  const before = sent().length;
  expect(before).toBeLessThan(2_000);
  const again = await gate(name, ...limits);
  expect([again.code, JSON.parse(again.stdout).run]).toEqual([0, run]);
  expect(again.stderr).toBe("");
  expect(sent().length).toBe(before);

  const stricter = await gate(name, "--max-diff-rate", "0%", "--min-samples", "300");
  const whole = JSON.parse(stricter.stdout);
  expect([stricter.code, whole.run, whole.report.selection.read]).toEqual([0, run, 3_000]);
  expect(sent().sort((a, b) => a - b)).toEqual(Array.from({ length: 3_000 }, (_, x) => x));
});

test("judges the first members in the order of the seal, however they are spread over the recording", async () => {
  await start();
  // A burst: all that is wrong was captured first, and would fail any candidate that is judged in that order.
  const isWrong = (x: number) => x < 100;
  const { name, ids, selection } = await sealed(2_500, wrongFor(isWrong));
  const { code, stdout } = await gate(name, "--max-diff-rate", "8%", "--min-samples", "300");
  const { report } = gateSchema.parse(JSON.parse(stdout));
  expect([code, report!.verdict]).toEqual([0, "pass"]);
  const members = await world.store.selections.members(selection.id, 0, report!.selection!.read);
  const wrong = members.filter(({ captureId }) => isWrong(ids.indexOf(captureId))).length;
  expect(report!.counts).toMatchObject({ captured: members.length, mismatches: wrong });
});

test("a selection that is read to its end is known exactly: equal to the limit passes, one more fails", async () => {
  await start();
  const { name } = await sealed(
    1_000,
    wrongFor((x) => x % 100 === 0),
  );
  const exact = await gate(name, "--max-diff-rate", "1%", "--min-samples", "300");
  expect(exact.code).toBe(0);
  const over = await gate(name, "--max-diff-rate", "0.99%", "--min-samples", "300");
  expect([over.code, JSON.parse(over.stdout).report.selection.read]).toEqual([1, 1_000]);
  const few = await gate(name, "--max-diff-rate", "1%", "--min-samples", "1001");
  expect([few.code, JSON.parse(few.stdout).report.summary]).toEqual([
    3,
    expect.stringContaining("1 more samples are wanted"),
  ]);
});

test("another model at the same URL: refused until it is registered again; then it is asked itself, and fails", async () => {
  await start();
  let version = "3";
  const candidate = await startV2Candidate(
    ({ x }, response) => response.end(answer(version === "3" ? x : x + 1)),
    () => ({ ...description, versions: [version] }),
  );
  onTestFinished(() => candidate.close());
  const { name } = await addRecorded(world, 600);
  await world.store.selections.create({ deployment: name, name: "all", filter: {}, seal: true });
  const register = (...more: string[]) =>
    understudy(world.origin, ["candidate", name, "next", candidate.url, "--json", ...more]);
  const run = async (...more: string[]) => JSON.parse((await register(...more)).stdout).run as number;
  const asked = () =>
    understudy(world.origin, ["gate", name, "--candidate", "next", "--selection", "all", ...limits]);
  const sent = () => candidate.received.filter(({ path }) => path.endsWith("/infer")).length;

  const first = await run();
  expect((await asked()).code).toBe(0);
  expect(await run()).toBe(first);
  version = "4";
  const before = sent();
  expect(await asked()).toMatchObject({ code: 2, stderr: expect.stringContaining("it is another model") });
  expect(sent()).toBe(before);
  const second = await run();
  expect(second).toBeGreaterThan(first);
  expect((await asked()).code).toBe(1);
  expect(sent()).toBeGreaterThan(before);
  // Nothing shows that it is another; whoever deployed it knows.
  expect(await run("--new-revision")).toBeGreaterThan(second);
});

test("--fresh asks the candidate anew, and the gates after it go on from there", async () => {
  await start();
  // An outage within the replay: too short to be told from a candidate that fails.
  let fails = true;
  const { name, sent } = await sealed(600, ({ x }, response) => {
    if (fails && x % 10 === 0) response.destroy();
    else response.end(answer(x));
  });
  const strict = [...limits, "--max-error-rate", "1%"];
  const spoiled = await gate(name, ...strict);
  expect(spoiled).toMatchObject({ code: 1, stdout: expect.stringMatching(/connections failed.*--fresh/) });
  fails = false;
  const before = sent().length;
  const fresh = JSON.parse((await gate(name, ...strict, "--fresh")).stdout);
  expect(fresh.report).toMatchObject({ verdict: "pass", counts: { candidateError: {} } });
  expect(fresh.report.notes.join()).toMatch(/asked anew, as was wanted: what replay \d+/);
  expect(sent().length).toBeGreaterThan(before);
  expect(JSON.parse((await gate(name, ...strict)).stdout)).toMatchObject({ run: fresh.run, verdict: "pass" });
});

test("--since seals what was captured lately, and replays what a verdict takes of it", async () => {
  await start();
  const { name, sent } = await sealed(
    800,
    wrongFor((x) => x % 100 === 0),
  );
  const since = (span: string) =>
    understudy(world.origin, ["gate", name, "--candidate", "c0", "--since", span, "--json", ...limits]);
  const days = `${Math.ceil((Date.now() - noonMs) / 86_400_000) + 1}d`;
  const passed = await since(days);
  const { run, report } = JSON.parse(passed.stdout);
  expect([passed.code, report.run.kind, report.selection.members]).toEqual([0, "replay", 800]);
  expect(sent().length).toBeGreaterThanOrEqual(report.selection.read);
  expect(JSON.parse((await since(days)).stdout).run).toBeGreaterThan(run);
  expect(await since("1s")).toMatchObject({ code: 2, stderr: expect.stringContaining("No capture matches") });
  // What a gate made for itself does not hold up retention; what a person sealed does.
  const { retention } = world.store;
  const [day] = await world.prisma.$queryRaw<{ day: string }[]>`
    SELECT day::text FROM segments s JOIN deployments d ON d.id = s.deployment_id WHERE d.name = ${name} LIMIT 1`;
  expect(await retention.due(0)).not.toContain(day!.day);
  const theirs = { name: { not: { startsWith: "gate-" } } };
  await world.prisma.selectionMember.deleteMany({ where: { selection: theirs } });
  expect(await retention.due(0)).toContain(day!.day);
  const segments = await retention.segments(day!.day, 1_000);
  await retention.dropSegments(
    day!.day,
    segments.map(({ id }) => id),
  );
  expect(await world.prisma.segment.count({ where: { deployment: { name } } })).toBe(0);
});

test("an evidence file of a selection's gate is verified, and a forged one is not", async () => {
  await start();
  const { name } = await sealed(600);
  const file = `${world.folder}/evidence.json`;
  expect((await gate(name, ...limits, "--report", file)).code).toBe(0);
  const verified = await understudy(world.origin, ["gate", "verify", file]);
  expect([verified.code, verified.stderr]).toEqual([0, ""]);
});

test("each request is judged once although the worker is killed, and the control plane is away meanwhile", async () => {
  const first = await start();
  let halfway = () => {};
  const half = new Promise<void>((resolve) => {
    halfway = resolve;
  });
  let received = 0;
  const { name } = await sealed(1_200, ({ x }, response) => {
    received += 1;
    if (received === 300) halfway();
    setTimeout(() => response.end(answer(x)), received >= 300 ? 20 : 0);
  });
  const opened = await world.call("POST", "/gates", {
    body: { deployment: name, candidate: "c0", selection: "all", maxDiffRate: 0, minSamples: 300 },
  });
  expect(opened.body).toMatchObject({
    state: "running",
    selection: { name: "all", members: 1_200 },
    report: null,
  });
  await half;
  await world.endControl();
  first.process.kill("SIGKILL");
  expect(await first.exited).toBe("SIGKILL");
  expect((await world.store.gates.get(opened.body.id)).state).toBe("running");
  await start();
  await vi.waitFor(async () => expect((await world.store.gates.get(opened.body.id)).state).toBe("done"), {
    timeout: 40_000,
    interval: 100,
  });
  await world.startControl();
  const { body } = await world.call("GET", `/gates/${opened.body.id}`);
  expect(body).toMatchObject({ verdict: "pass", report: { counts: { captured: 1_200, matches: 1_200 } } });
  expect(await world.prisma.outcome.count({ where: { runId: body.run } })).toBe(1_200);
});

describe("no verdict", () => {
  test("the replay is cancelled midway: 2; and so is the gate, which says it", async () => {
    await start();
    const { name, sent } = await sealed(1_200, ({ x }, response) => {
      setTimeout(() => response.end(answer(x)), 20);
    });
    const asked = gate(name, "--max-diff-rate", "0%");
    await vi.waitFor(() => expect(sent().length).toBeGreaterThan(50), { timeout: 20_000 });
    const { items } = (await world.call("GET", `/replays?deployment=${name}`)).body;
    expect((await world.call("POST", `/replays/${items[0].id}/cancel`)).status).toBe(200);
    const ended = await asked;
    expect([ended.code, ended.stdout]).toEqual([2, ""]);
    expect(ended.stderr).toMatch(
      /ended without a verdict\. Replay \d+ was cancelled after [\d,]+ of 1,200 requests/,
    );
    const gates = (await world.call("GET", `/gates?deployment=${name}`)).body.items;
    expect(gates[0]).toMatchObject({ state: "cancelled", verdict: null });
  });

  test("SIGINT cancels the gate: 2; what was replayed stands still, and stays", async () => {
    await start();
    const { name, sent } = await sealed(1_200, ({ x }, response) => {
      setTimeout(() => response.end(answer(x)), 20);
    });
    let pid = 0;
    const asked = understudy(
      world.origin,
      ["gate", name, "--candidate", "c0", "--selection", "all", "--max-diff-rate", "0%"],
      {
        whileItRuns: (its) => {
          pid = its;
        },
      },
    );
    await vi.waitFor(() => expect(sent().length).toBeGreaterThan(50), { timeout: 20_000 });
    process.kill(pid, "SIGINT");
    const ended = await asked;
    expect([ended.code, ended.stdout]).toEqual([2, ""]);
    expect(ended.stderr).toMatch(/The gate was cancelled: there is no verdict/);
    const { items } = (await world.call("GET", `/replays?deployment=${name}`)).body;
    expect(items[0].state).toBe("paused");
    const again = await world.call(
      "POST",
      `/gates/${(await world.call("GET", "/gates")).body.items[0].id}/cancel`,
    );
    expect([again.status, again.body.detail]).toEqual([409, expect.stringContaining("is cancelled")]);
  });

  test("the candidate goes down at the start of the replay: 2, and how it failed", async () => {
    await start();
    const { name } = await sealed(600, (_received, response) => response.destroy());
    const ended = await gate(name, ...limits);
    expect([ended.code, ended.stdout]).toEqual([2, ""]);
    expect(ended.stderr).toMatch(/c0 has not answered one of \d+ requests: \d+ connections failed/);
  });

  test("a candidate that was down spoils nothing: it is asked anew once it is there", async () => {
    await start();
    let down = true;
    const { name } = await sealed(600, ({ x }, response) => {
      if (down) response.destroy();
      else response.end(answer(x));
    });
    const first = await gate(name, ...limits);
    expect(first).toMatchObject({ code: 2, stderr: expect.stringContaining("has not answered one of") });
    expect(first.stderr).not.toMatch(/goes on from there/);
    down = false;
    const { report } = JSON.parse((await gate(name, ...limits)).stdout);
    expect(report).toMatchObject({ verdict: "pass", counts: { candidateError: {} } });
  });

  test("requests that came to nothing are missing coverage: 3", async () => {
    await start();
    const { name, selection } = await sealed(600);
    // A segment whose blob is gone: its works are given up.
    const [lost] = await world.prisma.segment.findMany({ where: { deploymentId: selection.deploymentId } });
    await world.blobs.delete(lost!.blobKey);
    const { code, stdout } = await gate(name, ...limits);
    expect(code).toBe(3);
    expect(JSON.parse(stdout).report.summary).toMatch(/only \d+\.\d+ % of what was captured is finished/);
  });
});

describe("cannot run: 2, each with its own message", () => {
  let name: string;
  let other: string;
  beforeAll(async () => {
    const candidate = await startV2Candidate(right);
    ({ name } = await addRecorded(world, 20, candidate.url));
    ({ name: other } = await addRecorded(world, 20, candidate.url));
    await candidate.close();
    const { selections } = world.store;
    await selections.create({ deployment: name, name: "all", filter: {}, seal: true });
    await selections.create({ deployment: name, name: "open", filter: {}, seal: false });
    await selections.create({ deployment: name, name: "none", filter: { status: ["503"] }, seal: false });
    await selections.create({ deployment: other, name: "theirs", filter: {}, seal: true });
  });

  test.each<[string[], RegExp]>([
    [["--selection", "nothing"], /has no selection named "nothing".*\n.*selection list/],
    [["--selection", "theirs"], /has no selection named "theirs".*\nThat one is of replayed-\d+/],
    [["--selection", "open"], /The selection open is not sealed.*\n.*selection seal replayed-\d+ open/],
    [["--selection", "none"], /The selection none is empty: no capture matches/],
    [["--selection", "all"], /c0|127\.0\.0\.1:\d+/],
    [["--selection", "all", "--since", "1h"], /give either sinceMs or selection/],
    [["--fresh"], /fresh: belongs to a selection/],
    [["--selection", "all", "--max-error-rate", "150%"], /must be a fraction from 0 to 1/],
    [["--selection", "all", "--candidate", "nobody"], /no candidate named "nobody"/],
  ])("%j", async (args, said) => {
    const ended = await understudy(world.origin, [
      "gate",
      name,
      "--candidate",
      "c0",
      "--max-diff-rate",
      "1%",
      ...args,
    ]);
    expect([ended.code, ended.stdout]).toEqual([2, ""]);
    expect(ended.stderr).toMatch(said);
    expect((await world.call("GET", `/gates?deployment=${name}`)).body.items).toEqual([]);
  });

  test("all members were erased", async () => {
    const { selections } = world.store;
    const { deploymentId } = await selections.create({
      deployment: other,
      name: "gone",
      filter: {},
      seal: true,
    });
    await world.prisma.capture.deleteMany({ where: { deploymentId } });
    const ended = await understudy(world.origin, ["gate", other, "--candidate", "c0", "--selection", "gone"]);
    expect([ended.code, ended.stderr]).toEqual([
      2,
      expect.stringContaining("all of its 20 members were erased"),
    ]);
  });
});
