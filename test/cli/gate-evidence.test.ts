import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { cliMain } from "../../src/paths.js";
import { closed, listening, openControl, type TestControl } from "../control/support.js";
import { addGated, endings, mixed } from "../gate/support.js";
import { endpoint } from "../store/support.js";

let control: TestControl;
let folder: string;
let receiver: Server;
let received: { candidate: string; alias: string; gate: { verdict: string } }[];
let onReceived: () => Promise<void>;
let receiverStatus: number;
let receiverUrl: string;
let candidate: Server;
let candidateUrl: string;
/** What the candidate says of itself at the moment. */
let says: { version: string };
const describeNow = () => ({ name: "int8", inputs: [], outputs: [], ...says });
let name: string;

beforeAll(async () => {
  receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    received.push(JSON.parse(Buffer.concat(chunks).toString()));
    await onReceived();
    response.writeHead(receiverStatus).end();
  });
  receiverUrl = await listening(receiver);
  control = await openControl({ webhookAllow: [new URL(receiverUrl).host] });
  candidate = createServer((_request, response) => response.end(JSON.stringify(describeNow())));
  candidateUrl = await listening(candidate);
  folder = await mkdtemp(join(tmpdir(), "understudy-evidence-"));
});
beforeEach(async () => {
  received = [];
  onReceived = async () => {};
  receiverStatus = 200;
  says = { version: "1" };
  ({ name } = await addGated(control, mixed(1_000, 100, endings.mismatch), {
    endpoint: endpoint({ url: candidateUrl, model: "int8" }),
    metadata: describeNow(),
  }));
});
afterAll(async () => {
  await control.close();
  await closed(receiver);
  await closed(candidate);
  await rm(folder, { recursive: true, force: true });
});

function understudy(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, UNDERSTUDY_CONTROL_URL: control.origin };
    execFile(process.execPath, [cliMain, ...args], { cwd: folder, env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

async function passing(...more: string[]): Promise<number> {
  const limits = ["--max-diff-rate", "20%", "--author", "ada"];
  const { stdout } = await understudy("gate", name, "--candidate", "int8", ...limits, "--json", ...more);
  return JSON.parse(stdout).id as number;
}

const promote = () => understudy("promote", name, "--candidate", "int8");

test("verify: evidence holds; changed by hand it does not; under another policy it does not", async () => {
  await passing("--report", "evidence.json");
  expect(await understudy("gate", "verify", "evidence.json")).toMatchObject({ code: 0, stderr: "" });
  const text = await readFile(join(folder, "evidence.json"), "utf8");
  const changed = text.replace('"mismatches": 10,', '"mismatches": 1,');
  expect(changed).not.toBe(text);
  await writeFile(join(folder, "changed.json"), changed);
  const forged = await understudy("gate", "verify", "changed.json", "--offline");
  expect([forged.code, forged.stdout]).toEqual([1, expect.stringContaining("it was changed")]);
  const none = await understudy("gate", "verify", "none.json");
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("cannot be read as evidence")]);
  await control.store.registry.setPolicy(name, { outputs: { "*": { rule: "exact" } } });
  const stale = await understudy("gate", "verify", "evidence.json");
  expect([stale.code, stale.stdout]).toEqual([
    1,
    expect.stringContaining("changed since it was judged: policy"),
  ]);
});

test("verify: what stands around a report is not vouched for; approvals come from the control plane", async () => {
  const { stdout } = await understudy(
    ...["gate", name, "--candidate", "int8", "--max-diff-rate", "0.01%", "--author", "ada"],
    ...["--json", "--report", "fail.json"],
  );
  expect(JSON.parse(stdout).verdict).toBe("fail");
  const given = JSON.parse(await readFile(join(folder, "fail.json"), "utf8"));
  const approvals = [{ by: "mallory", reason: "trust me", at: 1, lapsed: null }];
  const around = { verdict: "pass", candidate: "other", run: 99, author: "eve", approvals };
  await writeFile(join(folder, "forged.json"), JSON.stringify({ ...given, ...around }));
  for (const more of [[], ["--offline"]]) {
    const forged = await understudy("gate", "verify", "forged.json", ...more);
    expect(forged.code).toBe(1);
    for (const field of ["verdict", "candidate", "run", "author"]) {
      expect(forged.stdout).toContain(`it says ${field} `);
    }
    expect(forged.stdout).not.toMatch(/holds: gate|mallory/);
  }
  const id = String(await passing("--report", "pass.json"));
  await understudy("gate", "approve", id, "--by", "bob", "--reason", "looked at it");
  const passed = JSON.parse(await readFile(join(folder, "pass.json"), "utf8"));
  await writeFile(join(folder, "approved.json"), JSON.stringify({ ...passed, approvals }));
  const verified = await understudy("gate", "verify", "approved.json");
  expect([verified.code, verified.stdout]).toEqual([
    0,
    expect.stringContaining("approved by bob: looked at it"),
  ]);
  expect(verified.stdout).not.toContain("mallory");
});

test("promote: refused without a gate and after a failed one; then told, and moved", async () => {
  await control.store.registry.updateDeployment(name, { promoteUrl: receiverUrl });
  expect(await promote()).toMatchObject({ code: 2, stderr: expect.stringContaining("it has no gate") });
  await understudy("gate", name, "--candidate", "int8", "--max-diff-rate", "0.01%");
  expect(await promote()).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/newest gate, \d+, is fail/),
  });
  expect(received).toEqual([]);
  await passing();
  receiverStatus = 503;
  expect(await promote()).toMatchObject({ code: 2, stderr: expect.stringContaining("answered 503") });
  expect((await control.call("GET", `/deployments/${name}/promotions`)).body.items).toEqual([]);
  receiverStatus = 200;
  expect(await promote()).toMatchObject({ code: 0, stdout: expect.stringContaining("int8 is champion") });
  expect(received.at(-1)).toMatchObject({ candidate: "int8", alias: "champion", gate: { verdict: "pass" } });
  const { body } = await control.call("GET", `/deployments/${name}/promotions`);
  expect(body.items).toMatchObject([{ candidate: "int8", alias: "champion" }]);
});

test("promote: bound to what was gated, whatever is registered while the webhook is told; the gate that ended last counts", async () => {
  await control.store.registry.updateDeployment(name, { promoteUrl: receiverUrl });
  const first = await passing();
  onReceived = async () => {
    const { endpoint, metadata } = await control.store.registry.getCandidate(name, "int8");
    const again = { name: "int8", endpoint, metadata, sha256: null, newRevision: true };
    await control.store.registry.addCandidate(name, again);
  };
  expect(await promote()).toMatchObject({ code: 2, stderr: expect.stringContaining("was registered again") });
  expect(received.at(-1)).toMatchObject({ model: { url: candidateUrl, model: "int8" }, gate: { id: first } });
  expect((await control.call("GET", `/deployments/${name}/promotions`)).body.items).toEqual([]);
});

test("promote: a gate that began earlier and fails later is the newest", async () => {
  const failing = await understudy("gate", name, "--candidate", "int8", "--max-diff-rate", "0.01%", "--json");
  await passing();
  await control.prisma.gate.update({
    where: { id: JSON.parse(failing.stdout).id },
    data: { endedAt: new Date(Date.now() + 1_000) },
  });
  expect(await promote()).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/newest gate, \d+, is fail/),
  });
});

test("a webhook that is private and not allowed is refused, and nothing moves", async () => {
  await control.store.registry.updateDeployment(name, { promoteUrl: "http://127.0.0.1:9/" });
  await passing();
  const { code, stderr } = await promote();
  expect([code, stderr]).toEqual([2, expect.stringContaining("UNDERSTUDY_WEBHOOK_ALLOW")]);
});

test("approval: by another than the author, bound to the evidence; lapses when the policy changes", async () => {
  await control.call("PATCH", `/deployments/${name}`, { body: { gateApproval: "other" } });
  const id = String(await passing());
  expect(await promote()).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("lacks a valid approval"),
  });
  const own = await understudy("gate", "approve", id, "--by", "ada", "--reason", "mine");
  expect([own.code, own.stderr]).toEqual([2, expect.stringContaining("another than the gate's author")]);
  expect((await understudy("gate", "approve", id, "--by", "bob", "--reason", "looked at it")).code).toBe(0);
  expect((await promote()).code).toBe(0);
  const good = await control.call("GET", `/gates/${id}`);
  expect(good.body).toMatchObject({ approvals: [{ by: "bob", lapsed: null }], standing: { changed: [] } });
  await control.store.registry.setPolicy(name, { outputs: { "*": { rule: "exact" } } });
  const lapsed = await control.call("GET", `/gates/${id}`);
  expect(lapsed.body.approvals[0].lapsed).toBe("changed since: policy");
  expect(await promote()).toMatchObject({ code: 2, stderr: expect.stringContaining("another: policy") });
});

test("an erased request is noted and changes nothing; a changed outcome does", async () => {
  const id = await passing();
  const outcome = await control.prisma.outcome.findFirstOrThrow({
    where: { result: "match" },
    orderBy: { judgedAt: "desc" },
  });
  const key = {
    day_runId_captureId: { day: outcome.day, runId: outcome.runId, captureId: outcome.captureId },
  };
  await control.prisma.outcome.update({
    where: key,
    data: { disposition: "erased", result: null, flip: null },
  });
  const erased = await control.call("GET", `/gates/${id}`);
  expect(erased.body.standing).toEqual({ changed: [], erased: 1, dropped: null });
  expect((await promote()).code).toBe(0);
  await control.prisma.outcome.update({ where: key, data: { disposition: "compared", result: "mismatch" } });
  const changed = await control.call("GET", `/gates/${id}`);
  expect(changed.body.standing.changed).toEqual(["ledger"]);
});

test("only a pass is approved", async () => {
  const { stdout } = await understudy("gate", name, "--candidate", "int8", "--json");
  const id = String(JSON.parse(stdout).id);
  const { code, stderr } = await understudy("gate", "approve", id, "--by", "bob", "--reason", "why not");
  expect([code, stderr]).toEqual([2, expect.stringContaining("only a pass is approved")]);
});

test("a candidate that is another model by now is neither gated nor promoted; one that is away is not promoted", async () => {
  await passing();
  says = { version: "2" };
  const another = { code: 2, stderr: expect.stringContaining("it is another model") };
  expect(await promote()).toMatchObject(another);
  expect(await understudy("gate", name, "--candidate", "int8", "--max-diff-rate", "20%")).toMatchObject(
    another,
  );
  const away = await addGated(control, mixed(1_000, 100, endings.mismatch));
  const judged = await understudy("gate", away.name, "--candidate", "int8", "--max-diff-rate", "20%");
  expect(judged).toMatchObject({ code: 0, stdout: expect.stringContaining("was not there to say whether") });
  const promoted = await understudy("promote", away.name, "--candidate", "int8");
  expect(promoted).toMatchObject({ code: 2, stderr: expect.stringContaining("not there to say what it is") });
});

test("an ignore that ended since: the policy means something else, though it is the same", async () => {
  const id = await passing();
  const policy = await control.prisma.policy.findFirstOrThrow({ where: { deployment: { name } } });
  const ignoreUntil = (agoMs: number) => {
    const until = new Date(Date.now() - agoMs).toISOString();
    const body = { outputs: { logits: { rule: "exact", ignore: { reason: "known", until } } } };
    return control.prisma.policy.update({ where: { id: policy.id }, data: { body } });
  };
  const standing = async () => (await control.call("GET", `/gates/${id}`)).body.standing;
  await ignoreUntil(-60_000);
  expect(await standing()).toMatchObject({ changed: [] });
  await control.prisma
    .$executeRaw`UPDATE outcomes SET judged_at = now() - interval '2 hours' WHERE run_id IN (SELECT id FROM runs WHERE policy_id = ${policy.id})`;
  await ignoreUntil(3_600_000);
  expect(await standing()).toMatchObject({ changed: ["policy"] });
  expect(await promote()).toMatchObject({ code: 2, stderr: expect.stringContaining("another: policy") });
  const again = await understudy("gate", name, "--candidate", "int8", "--max-diff-rate", "20%");
  expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining("ignore of logits ended") });
});

test("retention: what can no longer be counted is neither held nor refuted, and not promoted", async () => {
  const id = await passing("--report", "old.json");
  const day = new Date(Date.now() - 1_800_000).toISOString().slice(0, 10);
  const segments = await control.prisma.segment.findMany({ where: { deployment: { name } } });
  await control.store.retention.dropSegments(
    day,
    segments.map((segment) => segment.id),
  );
  const { run } = (await control.call("GET", `/gates/${id}`)).body;
  await control.prisma.outcome.deleteMany({ where: { runId: run } });
  const { standing } = (await control.call("GET", `/gates/${id}`)).body;
  expect(standing).toEqual({ changed: [], erased: 0, dropped: day });
  expect(await understudy("gate", "verify", "old.json")).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining(`captures of ${day} were dropped by retention`),
  });
  expect(await understudy("gate", "verify", "old.json", "--offline")).toMatchObject({ code: 0 });
  expect(await promote()).toMatchObject({ code: 2, stderr: expect.stringContaining("dropped by retention") });
});
