import { afterAll, beforeAll, expect, test } from "vitest";
import { addGated, endings, mixed } from "../gate/support.js";
import { endpoint } from "../store/support.js";
import { openControl, type TestControl } from "./support.js";

let control: TestControl;
beforeAll(async () => {
  control = await openControl();
});
afterAll(() => control.close());

test("what replays were sent to is no candidate: neither gated, nor promoted, nor replayed to by its name", async () => {
  const { name } = await addGated(control, mixed(400, 100, endings.mismatch));
  await control.store.replays.open({
    deployment: name,
    target: { kind: "url", endpoint: endpoint(), metadata: {} },
    filter: {},
    speed: null,
    concurrency: 8,
    ratePerSecond: null,
    onFailure: "skip",
  });
  await control.store.selections.create({ deployment: name, name: "all", filter: {}, seal: true });
  const about = { deployment: name, candidate: "@url", maxDiffRate: 0.2 };
  const refused = { status: 404, body: { detail: expect.stringContaining('"@url" is no candidate') } };
  expect(await control.call("POST", "/gates", { body: about })).toMatchObject(refused);
  expect(await control.call("POST", "/gates", { body: { ...about, selection: "all" } })).toMatchObject(
    refused,
  );
  const promoted = { body: { candidate: "@url" } };
  expect(await control.call("POST", `/deployments/${name}/promotions`, promoted)).toMatchObject(refused);
  const replayed = { body: { deployment: name, candidate: "@url", pace: "max" } };
  expect(await control.call("POST", "/replays", replayed)).toMatchObject(refused);
  expect((await control.call("GET", `/gates?deployment=${name}`)).body.items).toEqual([]);
});
