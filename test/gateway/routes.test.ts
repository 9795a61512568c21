import { expect, test as it, onTestFinished } from "vitest";
import { createRingMemory, createRingProducer } from "../../src/capture/ring.js";
import { createSequenceMemory, createSequenceWriter } from "../../src/capture/sequences.js";
import { createTally } from "../../src/capture/tally.js";
import { loadConfig } from "../../src/config.js";
import { createPrimaries } from "../../src/gateway/primaries.js";
import { buildRoutes } from "../../src/gateway/routes.js";
import { createRouteStats } from "../../src/gateway/stats.js";
import { createLogger } from "../../src/log.js";
import { noRedaction } from "../../src/redaction/settings.js";

const deployment = (id: number) => ({
  id,
  name: `d${id}`,
  primary: { url: `http://127.0.0.1:9/p${id}`, model: `m${id}`, version: null, headers: {} },
  sampleRate: 1,
  captureEnabled: true,
  capture: { targets: [], sequences: false, tags: [] },
  redaction: noRedaction,
});

it.each([
  ["none", [], undefined, undefined],
  ["one deployment", [1], undefined, "/p1"],
  ["the first registered, when others are added", [1, 2, 3], undefined, "/p1"],
  ["a default primary, whatever is registered", [1, 2], "http://127.0.0.1:9/own", "/own"],
])("what no deployment names goes to: %s", (_, ids, defaultPrimary, prefix) => {
  const primaries = createPrimaries({
    limits: loadConfig({}).gateway,
    log: createLogger({ logLevel: "fatal" }, "gateway"),
  });
  onTestFinished(() => primaries.close());
  const routes = buildRoutes({
    config: { captureEnabled: true, deployments: ids.map(deployment) },
    defaultPrimary,
    primaries,
    tally: createTally({
      ring: createRingProducer(createRingMemory(65_536)),
      sequences: createSequenceWriter(createSequenceMemory()),
      clock: Date.now,
    }),
    statsOf: ({ name }) => createRouteStats(name),
  });
  expect(routes.fallback?.choose().prefix).toBe(prefix);
  expect([...routes.byModel.keys()]).toEqual(ids.map((id) => `m${id}`));
});
