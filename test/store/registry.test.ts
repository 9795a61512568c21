import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noRedaction } from "../../src/redaction/settings.js";
import type { NewCandidate } from "../../src/store/types.js";
import { endpoint, newCandidate, newDeployment, openWorld, type World } from "./support.js";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

async function runsOf(candidateId: number) {
  const runs = await world.store.registry.listRuns(candidateId);
  return runs.map(({ id, state, kind, policyVersion }) => ({ id, state, kind, policyVersion }));
}

describe("deployments", () => {
  test("a deployment comes back as it was made, with policy version 1", async () => {
    const { registry } = world.store;
    const given = newDeployment({
      name: "made",
      control: endpoint({ url: "http://127.0.0.1:9001", headers: { authorization: "triton" } }),
      sampleRate: 0.25,
    });
    const made = await registry.createDeployment(given);
    const { policy, ...rest } = given;
    expect(made).toMatchObject({ ...rest, revision: 1, policy: { version: 1, body: policy } });
    expect(await registry.getDeployment("made")).toEqual(made);
    expect(await registry.listDeployments()).toContainEqual(made);
  });

  test("a change changes what it names, and raises the revision", async () => {
    const { registry } = world.store;
    const made = await registry.createDeployment(newDeployment({ name: "changed", control: endpoint() }));
    const changed = await registry.updateDeployment("changed", { sampleRate: 0.5 });
    expect(changed).toEqual({
      ...made,
      sampleRate: 0.5,
      revision: 2,
      updatedAtMs: expect.any(Number),
    });
    const without = await registry.updateDeployment("changed", { control: null, captureEnabled: false });
    expect(without).toMatchObject({ control: null, captureEnabled: false, sampleRate: 0.5, revision: 3 });
  });

  test("the gateways' configuration", async () => {
    const { registry } = world.store;
    const { id } = await registry.createDeployment(newDeployment({ name: "served", sampleRate: 0.1 }));
    expect((await registry.gatewayConfig()).deployments).toContainEqual({
      id,
      name: "served",
      primary: endpoint({ model: "served" }),
      sampleRate: 0.1,
      captureEnabled: true,
      capture: { targets: [], sequences: false, tags: [] },
      redaction: noRedaction,
    });
  });

  test.each([
    ["conflict", () => world.store.registry.createDeployment(newDeployment({ name: "made" }))],
    ["not_found", () => world.store.registry.getDeployment("absent")],
    ["not_found", () => world.store.registry.updateDeployment("absent", { sampleRate: 1 })],
    ["not_found", () => world.store.registry.setPolicy("absent", {})],
    ["not_found", () => world.store.registry.addCandidate("absent", newCandidate())],
    ["not_found", () => world.store.registry.listCandidates("absent")],
    ["not_found", () => world.store.registry.getCandidate("absent", "int8")],
    ["not_found", () => world.store.registry.getCandidate("made", "absent")],
    ["not_found", () => world.store.registry.getRun(999_999)],
  ])("%s: %s", async (code, call) => {
    await expect(call()).rejects.toMatchObject({ name: "UnderstudyError", code });
  });

  test("of two that take one name at once, one gets it", async () => {
    const made = await Promise.allSettled(
      [1, 2, 3].map(() => world.store.registry.createDeployment(newDeployment({ name: "contested" }))),
    );
    expect(made.filter((result) => result.status === "fulfilled")).toHaveLength(1);
  });
});

describe("candidates and their runs", () => {
  test("a candidate comes back as it was made, with an open live run", async () => {
    const { registry } = world.store;
    await registry.createDeployment(newDeployment({ name: "with-candidate" }));
    const given = newCandidate({ sha256: "ab", metadata: { platform: "onnxruntime" } });
    const candidate = await registry.addCandidate("with-candidate", given);
    expect(candidate).toMatchObject({ ...given, state: "active" });
    expect(await registry.getCandidate("with-candidate", "int8")).toEqual(candidate);
    expect(await registry.listCandidates("with-candidate")).toEqual([candidate]);
    const run = await registry.getRun(candidate.liveRunId);
    expect(run).toMatchObject({ kind: "live", state: "open", candidateId: candidate.id, policyVersion: 1 });
    expect(run.closedAtMs).toBeNull();
  });

  test("the same again changes nothing", async () => {
    const { registry } = world.store;
    const { revision } = await registry.createDeployment(newDeployment({ name: "again" }));
    const first = await registry.addCandidate("again", newCandidate({ metadata: { a: 1, ready: true } }));
    const later = { metadata: { ready: false, a: 1 } };
    expect(await registry.addCandidate("again", newCandidate(later))).toEqual(first);
    expect(await runsOf(first.id)).toHaveLength(1);
    expect((await registry.getDeployment("again")).revision).toBe(revision + 1);
  });

  test.each<[string, Partial<NewCandidate>]>([
    ["url", { endpoint: endpoint({ url: "http://127.0.0.1:9999", model: "int8" }) }],
    ["model", { endpoint: endpoint({ model: "int8-b" }) }],
    ["version", { endpoint: endpoint({ model: "int8", version: "2" }) }],
    ["headers", { endpoint: endpoint({ model: "int8", headers: { authorization: "key" } }) }],
    ["sha256", { sha256: "cd" }],
    ["description", { metadata: { versions: ["2"] } }],
    ["revision, as it is said,", { newRevision: true }],
  ])("another %s closes the live run and opens another", async (what, change) => {
    const { registry } = world.store;
    const name = `revised-${what}`;
    await registry.createDeployment(newDeployment({ name }));
    const first = await registry.addCandidate(name, newCandidate());
    const second = await registry.addCandidate(name, newCandidate(change));
    expect(second.id).toBe(first.id);
    const { newRevision: _, ...shown } = newCandidate(change);
    expect(second).toMatchObject(shown);
    expect(await runsOf(first.id)).toEqual([
      { id: second.liveRunId, state: "open", kind: "live", policyVersion: 1 },
      { id: first.liveRunId, state: "closed", kind: "live", policyVersion: 1 },
    ]);
    expect((await registry.getRun(first.liveRunId)).closedAtMs).not.toBeNull();
  });

  test.each<[string, Partial<NewCandidate>, Partial<NewCandidate>]>([
    [
      "a file of ours is its digest, whatever runs it",
      { sha256: "ab", metadata: { parameters: { execution_provider: "cpu" } } },
      { sha256: "ab", metadata: { parameters: { execution_provider: "cuda" } } },
    ],
    [
      "beside a version that is pinned there may be any others",
      { endpoint: endpoint({ version: "3" }), metadata: { versions: ["3"] } },
      { endpoint: endpoint({ version: "3" }), metadata: { versions: ["3", "4"] } },
    ],
  ])("%s", async (what, first, again) => {
    const { registry } = world.store;
    await registry.createDeployment(newDeployment({ name: what }));
    const { liveRunId } = await registry.addCandidate(what, newCandidate(first));
    expect(await registry.addCandidate(what, newCandidate(again))).toMatchObject({ liveRunId });
  });

  test("registered at once, one run is open", async () => {
    const { registry } = world.store;
    await registry.createDeployment(newDeployment({ name: "raced" }));
    const made = await Promise.all(
      ["a", "b", "c"].map((sha256) => registry.addCandidate("raced", newCandidate({ sha256 }))),
    );
    const runs = await runsOf(made[0]!.id);
    expect(runs.map((run) => run.state)).toEqual(["open", "closed", "closed"]);
  });
});

describe("policies", () => {
  test("another policy is another version, and other live runs for all candidates", async () => {
    const { registry } = world.store;
    await registry.createDeployment(newDeployment({ name: "judged" }));
    const a = await registry.addCandidate("judged", newCandidate({ name: "a" }));
    const b = await registry.addCandidate("judged", newCandidate({ name: "b" }));
    const body = { outputs: { "*": { rule: "exact", atol: 0, rtol: 0 } } };
    const policy = await registry.setPolicy("judged", body);
    expect(policy).toMatchObject({ version: 2, body });
    expect((await registry.getDeployment("judged")).policy).toEqual(policy);
    for (const { id } of [a, b]) {
      expect((await runsOf(id)).map(({ state, policyVersion }) => [state, policyVersion])).toEqual([
        ["open", 2],
        ["closed", 1],
      ]);
    }
  });

  test("the same policy, its keys in another order, is the one in force", async () => {
    const { registry } = world.store;
    await registry.createDeployment(newDeployment({ name: "same", policy: { a: 1, b: { c: 2, d: [3] } } }));
    const { id, liveRunId } = await registry.addCandidate("same", newCandidate());
    expect(await registry.setPolicy("same", { b: { d: [3], c: 2 }, a: 1 })).toMatchObject({ version: 1 });
    expect(await runsOf(id)).toMatchObject([{ id: liveRunId, state: "open" }]);
  });
});
