import { afterAll, beforeAll, expect, test } from "vitest";
import { newDeployment } from "../store/support.js";
import { openControl, type TestControl } from "./support.js";

let control: TestControl;
beforeAll(async () => {
  control = await openControl({ redactionKey: undefined });
  await control.store.registry.createDeployment(newDeployment());
});
afterAll(() => control.close());

test("an erasure is begun, listed and shown, and names nobody", async () => {
  const begun = await control.call("POST", "/erasures", { body: { request: "order-4711" } });
  expect(begun.status).toBe(201);
  expect(begun.body).toMatchObject({
    kind: "request",
    deployment: null,
    state: "running",
    found: 0,
    erased: 0,
    waitingFor: [],
    proof: null,
    doneAt: null,
  });
  const named = await control.call("POST", "/erasures", {
    body: { request: "order-4712", deployment: "digits" },
  });
  const first = await control.call("GET", "/erasures?limit=1");
  expect(first.body.items).toEqual([named.body]);
  const second = await control.call("GET", `/erasures?cursor=${first.body.nextCursor}`);
  expect(second.body).toEqual({ items: [begun.body], nextCursor: null });
  expect((await control.call("GET", `/erasures/${begun.body.id}`)).body).toEqual(begun.body);
  const kept = await control.prisma.tombstone.findMany();
  expect(kept).toHaveLength(2);
  expect(JSON.stringify(kept)).not.toContain("order");
});

test.each([
  { what: "nothing", body: {}, status: 400, detail: "either request or subject" },
  { what: "both", body: { request: "a", subject: "b" }, status: 400, detail: "either request or subject" },
  { what: "a subject, without a key", body: { subject: "a" }, status: 400, detail: "keyed hashes" },
  { what: "no deployment", body: { request: "a", deployment: "none" }, status: 404, detail: "none" },
])("refused: $what", async ({ body, status, detail }) => {
  const answer = await control.call("POST", "/erasures", { body });
  expect(answer.status).toBe(status);
  expect(answer.body.detail).toContain(detail);
});

test("there is no such erasure", async () => {
  for (const id of ["x", "00000000-0000-4000-8000-000000000000"]) {
    expect((await control.call("GET", `/erasures/${id}`)).status).toBe(404);
  }
});
