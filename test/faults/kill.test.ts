import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { proof, schedule } from "./seed.js";
import { openStage, type Servers, startServers } from "./world.js";

/** `npm run test:faults -- --kill-minutes N`. */
const minutes = Number(process.env.UNDERSTUDY_FAULT_KILL_MINUTES ?? 0.6);
const everyMs = 2_000;

let servers: Servers;
beforeAll(async () => {
  servers = await startServers();
});
afterAll(() => servers.close());

test(
  "kill -9 of a random process every two seconds under load",
  async () => {
    const draw = schedule("kill");
    const stage = await openStage(servers);
    const gateway = await stage.start("gateway");
    const processes = [
      gateway,
      await stage.start("worker"),
      await stage.start("worker"),
      await stage.start("control"),
    ];
    const load = stage.load(gateway, 4, 5);
    const kills = new Map<string, number>();
    const endMs = performance.now() + minutes * 60_000;
    while (performance.now() < endMs) {
      const nextMs = performance.now() + everyMs;
      const victim = draw.pick(processes);
      expect(await victim.kill()).toBe("SIGKILL");
      kills.set(victim.role, (kills.get(victim.role) ?? 0) + 1);
      await victim.restart();
      await sleep(Math.max(0, nextMs - performance.now()));
    }
    await load.stop();
    const { faults, ledger, captured } = await stage.settled();
    const killed = [...kills].map(([role, times]) => `${role} ${times} times`).join(", ");
    proof(1, `killed: ${killed}; answered ${load.answered}, captured ${captured}, lost ${ledger.lost}`);
    expect(faults).toEqual([]);
    expect([...kills.values()].reduce((sum, times) => sum + times, 0)).toBeGreaterThan(minutes * 10);
    expect(ledger.captured + ledger.lost).toBeGreaterThanOrEqual(load.answered);
    expect(ledger.captured).toBeLessThanOrEqual(load.begun);
  },
  minutes * 60_000 + 900_000,
);
