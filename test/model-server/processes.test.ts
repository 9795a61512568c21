import { readdirSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import type { Service } from "../../src/process/service.js";
import { eventually } from "../support/product.js";
import { startServer } from "./server.js";

let server: Service & { url: string };
beforeAll(async () => {
  server = await startServer([
    { name: "slow", path: "slow.onnx" },
    { name: "picky", path: "picky.onnx" },
  ]);
});

/** Matrix products of which a test machine does a few hundred thousand a second. */
const forAWhile = 200_000;
const forever = 1_000_000_000;
const infer = (model: string, inputs: object, signal?: AbortSignal) =>
  fetch(`${server.url}/models/${model}/infer`, {
    method: "POST",
    body: JSON.stringify({ inputs: [inputs] }),
    ...(signal ? { signal } : {}),
  });
const slow = (steps: number, signal?: AbortSignal) =>
  infer("slow", { name: "steps", datatype: "INT64", shape: [], data: [steps] }, signal);
const picky = (...shape: number[]) =>
  infer("picky", { name: "shape", datatype: "INT64", shape: [shape.length], data: shape });
const status = async (path: string) => (await fetch(`${server.url}${path}`)).status;

async function counts(model: string): Promise<{ success: number; fail: number }> {
  const body = (await (await fetch(`${server.url}/models/${model}/stats`)).json()) as {
    model_stats: { inference_stats: Record<"success" | "fail", { count: number }> }[];
  };
  const { success, fail } = body.model_stats[0]!.inference_stats;
  return { success: success.count, fail: fail.count };
}

/** The inference processes of this test that have loaded `model`. */
function processesOf(model: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const [, , path] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return parentOf(pid) === process.pid && path?.endsWith(`/${model}.onnx`);
      } catch {
        return false;
      }
    });
}

const statOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
const parentOf = (pid: number) => Number(statOf(pid)[1]);
const ticksOf = (pid: number) => Number(statOf(pid)[11]);

/** The only process of `model`, once it has computed for a tenth of a second. */
async function computing(model: string): Promise<number> {
  const [pid, ...more] = processesOf(model);
  expect([typeof pid, more]).toEqual(["number", []]);
  const before = ticksOf(pid!);
  await eventually(
    async () => ticksOf(pid!),
    (ticks) => ticks >= before + 10,
    { everyMs: 20 },
  );
  return pid!;
}

describe("while a model computes", () => {
  test("health and other models answer", async () => {
    let done = false;
    const long = slow(forAWhile).then((response) => {
      done = true;
      return response.status;
    });
    const seen: number[] = [];
    while (!done) {
      const answers = await Promise.all([
        status("/health/live"),
        status("/health/ready"),
        picky(2, 2).then((response) => response.status),
      ]);
      if (!done) seen.push(...answers);
    }
    expect(await long).toBe(200);
    expect(seen.length).toBeGreaterThan(10);
    expect(new Set(seen)).toEqual(new Set([200]));
  });

  test("a request whose client has gone is not computed", async () => {
    const before = await counts("slow");
    const first = slow(forAWhile);
    await computing("slow");
    const impatient = new AbortController();
    const gone = slow(forAWhile, impatient.signal).catch((error: Error) => error.name);
    // Sent, and waiting behind the first, before it is given up.
    await status("/health/live");
    impatient.abort();
    expect(await gone).toBe("AbortError");
    expect((await first).status).toBe(200);
    expect((await slow(1)).status).toBe(200);
    expect((await counts("slow")).success - before.success).toBe(2);
  });

  test("more than 256 waiting are told to come again", async () => {
    const first = slow(forever);
    const victim = await computing("slow");
    const turnedAway: number[] = [];
    const rest = Array.from({ length: 300 }, async () => {
      const { status } = await slow(1);
      turnedAway.push(status);
    });
    await eventually(
      async () => turnedAway.length,
      (count) => count >= 300 - 256,
    );
    expect(turnedAway).toEqual(new Array(300 - 256).fill(503));
    process.kill(victim, "SIGKILL");
    await Promise.all([first, ...rest]);
    await eventually(
      () => status("/models/slow/ready"),
      (ready) => ready === 200,
    );
  });
});

describe("when a model fails", () => {
  test("an input that the model refuses is a 500, and the next one is served", async () => {
    const before = await counts("picky");
    const refused = await picky(3, 3);
    expect(refused.status).toBe(500);
    expect(await refused.json()).toEqual({ error: expect.stringMatching(/failed on this input/) });
    expect((await picky(4)).status).toBe(200);
    const after = await counts("picky");
    expect([after.success - before.success, after.fail - before.fail]).toEqual([1, 1]);
  });

  test.each([
    { signal: "SIGSEGV", steps: forever + 1 },
    { signal: "SIGKILL", steps: forever + 2 },
  ] as const)(
    "$signal of the inference process: a 500 for its request, a 503 for those that wait, and it is started again",
    async ({ signal, steps }) => {
      const died = slow(steps);
      const victim = await computing("slow");
      const waited = slow(1);
      await status("/health/live");
      process.kill(victim, signal);

      const answer = await died;
      expect(answer.status).toBe(500);
      expect(await answer.json()).toEqual({ error: expect.stringContaining(signal) });
      expect((await waited).status).toBe(503);
      expect(await status("/health/live")).toBe(200);
      expect((await picky(4)).status).toBe(200);

      await eventually(
        () => status("/models/slow/ready"),
        (ready) => ready === 200,
      );
      expect((await slow(1)).status).toBe(200);
      expect(processesOf("slow")).not.toContain(victim);
    },
  );
});

test("an input that ended its process twice is not run again; others are", async () => {
  const poison = forever + 3;
  for (let deaths = 0; deaths < 2; deaths += 1) {
    const died = slow(poison);
    process.kill(await computing("slow"), "SIGSEGV");
    expect(await (await died).json()).toEqual({
      error: expect.stringContaining("did not survive this input"),
    });
    await eventually(
      () => status("/models/slow/ready"),
      (ready) => ready === 200,
    );
  }
  const [survivor] = processesOf("slow");
  const refused = await slow(poison);
  expect(refused.status).toBe(500);
  expect(await refused.json()).toEqual({
    error: expect.stringMatching(/^quarantined: model slow did not survive/),
  });
  expect(processesOf("slow")).toEqual([survivor]);
  expect((await slow(1)).status).toBe(200);
});

test("closing ends the inference processes, a busy one too", async () => {
  const cut = slow(forever).catch((error: Error) => error.name);
  await computing("slow");
  await server.close();
  await cut;
  expect([processesOf("slow"), processesOf("picky")]).toEqual([[], []]);
});
