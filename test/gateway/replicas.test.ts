import { mkdtemp, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../src/config.js";
import { createPrimaries } from "../../src/gateway/primaries.js";
import { noRedaction } from "../../src/redaction/settings.js";
import type { GatewayConfig } from "../../src/store/types.js";
import { ask } from "../http1/ask.js";
import { eventually } from "../support/product.js";
import { startTestGateway } from "./gateway.js";
import { startUpstream } from "./upstream.js";
import { send } from "./wire.js";

/** A gateway of one deployment `m`, known from the copy that gateways keep, without Postgres. */
async function startWithReplicas(url: string, replicas: string[]) {
  const dataDir = await mkdtemp(join(tmpdir(), "understudy-replicas-"));
  const config: GatewayConfig = {
    captureEnabled: true,
    deployments: [
      {
        id: 1,
        name: "m",
        primary: { url, replicas, model: "m", version: null, headers: {} },
        sampleRate: 1,
        captureEnabled: true,
        capture: { targets: [], tags: [], sequences: false },
        redaction: noRedaction,
      },
    ],
  };
  await writeFile(join(dataDir, "deployments.json"), JSON.stringify(config));
  const gateway = await startTestGateway({}, { dataDir });
  onTestFinished(() => gateway.remove());
  return gateway;
}

const infer = { method: "POST", path: "/v2/models/m/infer", body: "{}" };

test("the replica with the fewest requests under way is asked", async () => {
  const held: ServerResponse[][] = [[], []];
  const upstreams = await Promise.all(
    held.map((mine) =>
      startUpstream((request, response) => void request.resume().on("end", () => mine.push(response))),
    ),
  );
  onTestFinished(() => Promise.all(upstreams.map((one) => one.close())).then(() => {}));
  const gateway = await startWithReplicas(upstreams[0]!.url, [upstreams[1]!.url]);
  const counts = () => held.map((mine) => mine.length);
  const answers: Promise<unknown>[] = [];
  const ask = async () => {
    const before = held.flat().length;
    answers.push(send(gateway.port, infer));
    await eventually(
      async () => held.flat().length,
      (now) => now === before + 1,
      { withinMs: 30_000, everyMs: 5 },
    );
  };
  for (let i = 0; i < 6; i++) await ask();
  expect(counts()).toEqual([3, 3]);
  // One has got rid of all of its own: the next three are its, though it is not its turn each time.
  for (const response of held[0]!.splice(0)) response.end();
  await Promise.race(answers);
  await eventually(
    async () => Promise.all(answers.slice(0, 6).map((answer) => Promise.race([answer, null]))),
    (settled) => settled.filter((answer) => answer !== null).length === 3,
    { withinMs: 30_000, everyMs: 5 },
  );
  for (let i = 0; i < 3; i++) await ask();
  expect(counts()).toEqual([3, 3]);
  for (const response of held.flat()) response.end();
  await Promise.all(answers);
});

test("a replica that refuses connections costs one request, which is not tried again, and is then left out", async () => {
  const [sound, gone] = await Promise.all(
    [0, 1].map(() =>
      startUpstream((request, response) => void request.resume().on("end", () => response.end("{}"))),
    ),
  );
  onTestFinished(() => sound!.close());
  await gone!.close();
  const gateway = await startWithReplicas(gone!.url, [sound!.url]);
  const statuses: number[] = [];
  for (let i = 0; i < 20; i++) statuses.push((await send(gateway.port, infer)).status);
  expect(statuses.filter((status) => status === 502)).toHaveLength(1);
  expect(statuses.filter((status) => status === 200)).toHaveLength(19);
  expect(sound!.seen).toHaveLength(19);
});

test("after a while it is asked again; when all refuse, they are asked all the same", async () => {
  const limits = { ...loadConfig({}).gateway, primaryAvoidMs: 1_000 };
  let now = 0;
  const logged: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void logged.push(line) });
  const primaries = createPrimaries({ limits, log, clock: () => now });
  onTestFinished(() => primaries.close());
  const upstream = await startUpstream((_, response) => void response.end());
  await upstream.close();
  const sound = "http://127.0.0.1:9";
  const group = primaries.group([upstream.url, sound]);
  const [refusing, other] = group.replicas;
  const chosen = () => new Set([group.choose(), group.choose(), group.choose(), group.choose()]);
  expect(chosen()).toEqual(new Set([refusing, other]));
  expect(await ask(refusing!.pool).ended).toMatchObject({ code: "ECONNREFUSED" });
  expect(chosen()).toEqual(new Set([other]));
  now = 999;
  expect(chosen()).toEqual(new Set([other]));
  now = 1_000;
  expect(chosen()).toEqual(new Set([refusing, other]));
  expect(await ask(refusing!.pool).ended).toMatchObject({ code: "ECONNREFUSED" });
  // The log alone says where, and not for each request.
  const line = expect.stringMatching(new RegExp(`ECONNREFUSED 127.0.0.1:${upstream.port}`));
  expect(logged).toEqual([line]);
  now = 10_000;
  await ask(refusing!.pool).ended;
  expect(logged).toEqual([line, line]);
  const alone = primaries.group([upstream.url, `${upstream.url}/other`]);
  expect(alone.replicas).toContain(alone.choose());
});
