import { afterAll, beforeAll, expect, test } from "vitest";
import { captureRow, segmentCommit } from "../store/support.js";
import { openControl, openModelServer, type TestControl } from "./support.js";

let control: TestControl;
let server: Awaited<ReturnType<typeof openModelServer>>;
beforeAll(async () => {
  [control, server] = await Promise.all([openControl(), openModelServer()]);
  await control.call("POST", "/deployments", { body: { name: "digits", primary: { url: server.url } } });
});
afterAll(async () => {
  await control.close();
  await server.close();
});

const path = "/deployments/digits/candidates";
const defaults = {
  concurrency: 1,
  ratePerSecond: null,
  deadlineMs: null,
  retries: { max: 2, backoffMs: 100, retryAfterMsMax: 5_000 },
  maxAgeMs: null,
  breakerFailures: 5,
};

test("a candidate is loaded as its settings say; what is not said stays, and its run goes on", async () => {
  const first = await control.call("POST", path, { body: { name: "a", url: server.url } });
  expect(first.body).toMatchObject({ flow: defaults, breaker: null });
  const flow = { concurrency: 4, ratePerSecond: 50.5, retries: { max: 0 } };
  const changed = await control.call("PATCH", `${path}/a`, { body: { flow } });
  expect(changed.status).toBe(200);
  const expected = { ...defaults, ...flow, retries: { ...defaults.retries, max: 0 } };
  expect(changed.body).toMatchObject({ flow: expected, run: first.body.run });
  const again = await control.call("POST", path, {
    body: { name: "a", url: server.url, flow: { maxAgeMs: 3_600_000, ratePerSecond: null } },
  });
  expect(again.body).toMatchObject({
    flow: { ...expected, maxAgeMs: 3_600_000, ratePerSecond: null },
    run: first.body.run,
  });
  expect((await control.call("PATCH", `${path}/absent`, { body: { flow: {} } })).status).toBe(404);
});

test.each([
  [{ concurrency: 0 }, "flow.concurrency", "must be at least 1"],
  [{ concurrency: 1.5 }, "flow.concurrency", "must be a whole number"],
  [{ ratePerSecond: 0 }, "flow.ratePerSecond", "must be at least 0.01"],
  [{ deadlineMs: 700_000 }, "flow.deadlineMs", "must be at most 600000"],
  [{ retries: { max: 11 } }, "flow.retries.max", "must be at most 10"],
  [{ maxAgeMs: 1 }, "flow.maxAgeMs", "must be at least 1000"],
])("%j is refused, with what it must be", async (flow, at, message) => {
  const answer = await control.call("PATCH", `${path}/a`, { body: { flow } });
  expect(answer.status).toBe(400);
  expect(answer.body.errors).toEqual([{ path: at, message }]);
});

test("a candidate on the primary's host says so", async () => {
  const { body } = await control.call("GET", `${path}/a`);
  expect(body.warnings).toEqual([expect.stringContaining("shares the host 127.0.0.1 with the primary")]);
  expect(body.warnings[0]).toContain("up to 4 requests at a time");
});

test("a candidate takes up history: by whole segments, the newest first, bounded and marked", async () => {
  const { store, prisma } = control;
  const { id } = await store.registry.getDeployment("digits");
  const dayMs = Date.parse("2026-11-20T12:00:00Z");
  for (const hour of [0, 1, 2]) {
    const rows = [0, 1].map((row) => captureRow(row, { receivedAtMs: dayMs + hour * 3_600_000 + row }));
    await store.catalogue.commitSegment(segmentCommit(id, rows));
  }
  const worksOf = async (name: string, backfill: unknown) => {
    const { body } = await control.call("POST", path, { body: { name, url: server.url, backfill } });
    const works = await prisma.work.findMany({ where: { runId: body.run }, include: { segment: true } });
    return works.map((work) => ({
      hour: (work.segment.firstAt.getTime() - dayMs) / 3_600_000,
      backfill: work.backfill,
    }));
  };
  const at = (...hours: number[]) =>
    expect.arrayContaining(hours.map((hour) => ({ hour: expect.closeTo(hour), backfill: true })));
  const [all, since, bounded, none] = [
    await worksOf("all", true),
    await worksOf("since", { since: dayMs + 3_600_000 }),
    await worksOf("bounded", { captures: 3 }),
    await worksOf("none", undefined),
  ];
  expect([all.length, since.length, bounded.length, none.length]).toEqual([3, 2, 2, 0]);
  expect(all).toEqual(at(0, 1, 2));
  expect(since).toEqual(at(1, 2));
  expect(bounded).toEqual(at(1, 2));
  expect((await store.ledger.read(id, { fromMs: null, toMs: null })).candidates).toMatchObject({
    all: { pending: 6, notReplayed: {} },
    since: { pending: 4, notReplayed: { not_assigned: 2 } },
    none: { pending: 0, notReplayed: { not_assigned: 6 } },
  });
});

test("dead works are listed and taken up again", async () => {
  const { store } = control;
  const { id } = await store.registry.getDeployment("digits");
  const receivedAtMs = Date.parse("2026-11-21T12:00:00Z");
  const { workIds } = await store.catalogue.commitSegment(
    segmentCommit(id, [captureRow(0, { receivedAtMs })]),
  );
  for (const workId of workIds.slice(0, 3)) {
    const { lease } = (await store.work.lease(workId, "w", 60_000))!;
    await store.work.markDead(workId, lease, "stalled");
  }
  const page = await control.call("GET", "/works?deployment=digits&limit=2");
  expect(page.body.items).toMatchObject([{ rows: 1, error: "stalled" }, { deployment: "digits" }]);
  const rest = await control.call("GET", `/works?limit=2&cursor=${page.body.nextCursor}`);
  expect(rest.body).toMatchObject({ items: [{ rows: 1 }], nextCursor: null });
  const [{ id: workId }] = page.body.items;
  expect(await control.call("POST", `/works/${workId}/retry`, { body: {} })).toMatchObject({
    status: 200,
    body: { id: workId, state: "pending" },
  });
  expect((await control.call("POST", `/works/${workId}/retry`, { body: {} })).status).toBe(404);
  expect((await control.call("POST", "/works/x/retry", { body: {} })).status).toBe(404);
  expect((await control.call("GET", "/works")).body.items.length).toBe(2);
});
