import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { packageRoot } from "../../src/paths.js";
import { startChild } from "../../src/process/child.js";
import { eventually } from "../support/product.js";
import { proof, schedule } from "./seed.js";

/** The processes that a process has started. */
function childrenOf(pid: number): number[] {
  const parentOf = (one: number) => {
    try {
      return Number(readFileSync(`/proc/${one}/stat`, "utf8").split(") ")[1]!.split(" ")[1]);
    } catch {
      return 0;
    }
  };
  return readdirSync("/proc")
    .map(Number)
    .filter((one) => one > 0 && parentOf(one) === pid);
}

test("row 17: native code that dies of an input takes its own process along, twice at most", async () => {
  const draw = schedule("row 17");
  const server = await startChild(["model-server", "--model", "slow=slow.onnx"], {
    env: {
      PATH: process.env.PATH,
      UNDERSTUDY_MODELS_DIR: join(packageRoot, "test/model-server/models"),
      UNDERSTUDY_MODEL_SERVER_PORT: "0",
      UNDERSTUDY_LOG_LEVEL: "fatal",
    },
  });
  onTestFinished(() => server.stop());
  const url = `${server.ready.url}/v2/models/slow`;
  const infer = async (steps: number) => {
    const inputs = [{ name: "steps", datatype: "INT64", shape: [], data: [steps] }];
    const response = await fetch(`${url}/infer`, { method: "POST", body: JSON.stringify({ inputs }) });
    return { status: response.status, text: await response.text() };
  };
  const ready = () =>
    eventually(
      async () => (await fetch(`${url}/ready`)).status,
      (status) => status === 200,
    );
  // An input that computes for hours; the process gets the signal that a fault in native code would raise.
  const poison = 1_000_000_000 + draw.between(0, 1_000);
  const victims: number[] = [];
  for (let deaths = 0; deaths < 2; deaths++) {
    const dying = infer(poison);
    const [victim] = childrenOf(server.process.pid!);
    const idle = ticksOf(victim!);
    await eventually(
      async () => ticksOf(victim!),
      (ticks) => ticks >= idle + 10,
      { everyMs: 20 },
    );
    process.kill(victim!, draw.pick(["SIGSEGV", "SIGABRT", "SIGBUS"]));
    victims.push(victim!);
    expect(await dying).toMatchObject({ status: 500, text: expect.stringContaining("did not survive") });
    expect((await fetch(`${server.ready.url}/v2/health/live`)).status).toBe(200);
    await ready();
  }
  const refused = await infer(poison);
  proof(17, `processes ${victims.join(" and ")} died of one input; then: ${refused.text}`);
  expect(refused).toMatchObject({ status: 500, text: expect.stringContaining("quarantined: ") });
  expect((await infer(1)).status).toBe(200);
  expect(server.process.exitCode).toBe(null);
  expect(childrenOf(server.process.pid!).filter((pid) => victims.includes(pid))).toEqual([]);
});

const ticksOf = (pid: number) =>
  Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")[11]);
