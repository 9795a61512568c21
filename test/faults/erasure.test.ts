import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Erasure, Replay } from "../../src/control/api.js";
import { filesWith, tablesWith } from "../erasure/support.js";
import type { Received } from "../replay/support.js";
import { eventually } from "../support/product.js";
import { proof, schedule } from "./seed.js";
import { echo, openStage, type Servers, type Stage, startServers, untilAnswered } from "./world.js";

let servers: Servers;
beforeAll(async () => {
  servers = await startServers();
});
afterAll(() => servers.close());

const secret = "9c1d-what-is-to-be-forgotten";
const requestId = `id-of-${secret}`;

const text = (name: string, value: string) => ({ name, datatype: "BYTES", shape: [1], data: [value] });

const metadata = {
  name: "m",
  versions: ["1"],
  platform: "test",
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, -1] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1, -1] }],
};

/** Quotes what is secret, each side in its own way, so that it gets into everything that is kept of a comparison. */
const quoting = (side: string) => (received: Received, response: Parameters<typeof echo>[1]) => {
  const answered = () => {
    response.setHeader("content-type", "application/json");
    if (!received.path.endsWith("/infer")) return void response.end(JSON.stringify(metadata));
    if (!received.body.includes(secret)) return echo(received, response);
    response.end(
      JSON.stringify({ model_name: "m", model_version: "1", outputs: [text("y", `${secret} ${side}`)] }),
    );
  };
  if (side === "primary") answered();
  else setTimeout(answered, 4);
};

async function sendSecret(gateway: string): Promise<void> {
  const response = await fetch(`${gateway}/v2/models/m/infer`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-request-id": requestId },
    body: JSON.stringify({ inputs: [text("x", secret)] }),
  });
  expect(await response.text()).toContain(secret);
}

/** Keys of Redis with a value that holds a text. */
async function keysWith(url: string, wanted: string): Promise<string[]> {
  const redis = new Redis(url);
  try {
    const found: string[] = [];
    for (const key of await redis.keys("*")) {
      const value = await redis.dumpBuffer(key);
      if (key.includes(wanted) || value?.includes(wanted)) found.push(key);
    }
    return found;
  } finally {
    redis.disconnect();
  }
}

async function everywhere(stage: Stage): Promise<string[]> {
  return [
    ...(await filesWith(stage.folder, secret)),
    ...(await tablesWith(stage.databaseUrl, secret)),
    ...(await keysWith(stage.redisUrl, secret)),
  ];
}

test("row 38: erased while a replay and a what-if run, workers die, and a gateway still holds some", async () => {
  const draw = schedule("row 38");
  const stage = await openStage(servers, { primary: quoting("primary"), candidate: quoting("candidate") });
  const [gateway, control, ...workers] = await Promise.all([
    stage.start("gateway"),
    stage.start("control"),
    stage.start("worker"),
    stage.start("worker"),
  ]);
  const address = String(gateway.child.ready.url);
  const api = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await fetch(`${control.child.ready.url}/api/v1${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };

  const load = stage.load(gateway, 2, 5);
  await sendSecret(address);
  await untilAnswered(load, draw.between(300, 500));
  await sendSecret(address);
  await load.stop();
  const requests = load.answered + 2;
  await stage.until((ledger) => ledger.candidates.c?.compared === requests);

  const opened = await api<Replay>("POST", "/replays", {
    deployment: "m",
    candidate: "c",
    pace: "max",
    concurrency: 4,
    ratePerSecond: 100,
  });
  const replay = () => api<Replay>("GET", `/replays/${opened.id}`);
  await api("POST", "/deployments/m/candidates/c/rejudge", {
    policy: { outputs: { "*": { rule: "numpy", atol: 1 } } },
  });
  await eventually(replay, ({ state }) => state === "running", { everyMs: 20 });

  // One more, of which the gateway has not got rid when it is halted.
  await sendSecret(address);
  await eventually(
    () => filesWith(stage.folder, secret),
    (files) => files.some((file) => file.endsWith(".spool")),
    { everyMs: 5 },
  );
  gateway.child.process.kill("SIGSTOP");
  onTestFinished(() => void gateway.child.process.kill("SIGCONT"));
  const before = await everywhere(stage);
  const sentBefore = stage.candidate.received.filter(({ body }) => body.includes(secret)).length;
  expect(sentBefore).toBeGreaterThan(0);
  const running = (await replay()).state;

  const erasure = await api<Erasure>("POST", "/erasures", { request: requestId });
  const progress = () => api<Erasure>("GET", `/erasures/${erasure.id}`);
  await new Promise((resolve) => setTimeout(resolve, draw.between(0, 1_500)));
  const victim = draw.pick(workers);
  await victim.kill();
  await victim.restart();
  const waiting = await eventually(
    progress,
    ({ erased, waitingFor }) => erased >= 2 && waitingFor.length > 0,
    {
      withinMs: 90_000,
    },
  );
  gateway.child.process.kill("SIGCONT");
  const done = await eventually(progress, ({ state }) => state === "done", { withinMs: 180_000 });
  await eventually(replay, ({ state }) => state === "done", { withinMs: 120_000 });
  const { faults, ledger } = await stage.settled();
  const spooled = before.filter((place) => place.endsWith(".spool")).length;
  proof(
    38,
    `in ${before.length} places, ${spooled} of them spool files, while a replay was ${running}; sent ${sentBefore} times; ` +
      `a worker killed; waited for ${waiting.waitingFor.join("; ")}; ${done.erased} of ${done.found} erased`,
  );
  expect(running).toBe("running");
  expect(spooled).toBe(1);
  expect(done).toMatchObject({ found: 3, erased: 3, proof: { captures: 3, left: 0, foundInBlobs: 0 } });
  expect(faults).toEqual([]);
  expect(ledger.candidates.c).toMatchObject({ compared: requests - 2, erased: 3 });
  expect(await everywhere(stage)).toEqual([]);
}, 600_000);
