import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { createQueues, type Queues } from "../../src/queue/backend.js";
import {
  deliverJob,
  handles,
  type JobContract,
  reconcileJob,
  replayJob,
  TryLater,
} from "../../src/queue/jobs.js";

/** A server for queues, and how to make it forget everything. */
export interface Backend {
  redisUrl: string | undefined;
  databaseUrl: string;
  forget(): Promise<void>;
  stop(): Promise<void>;
}

const until = (check: () => boolean | Promise<boolean>) =>
  vi.waitFor(async () => expect(await check()).toBe(true), { timeout: 30_000, interval: 20 });

/** What any backend of the queues must do. */
export function conformance(name: string, start: () => Promise<Backend>): void {
  describe(`queues over ${name}`, () => {
    let backend: Backend;
    const open: Queues[] = [];
    const connect = (): Queues => {
      const queues = createQueues({ ...backend, log: pino({ level: "silent" }) });
      open.push(queues);
      return queues;
    };

    beforeAll(async () => {
      backend = await start();
    });
    afterEach(async () => {
      await Promise.all(open.splice(0).map((queues) => queues.close(500)));
      await backend.forget();
    });
    afterAll(() => backend.stop());

    it("delivers every job once, whoever of two workers takes it", async () => {
      const producer = connect();
      const seen: string[] = [];
      for (const worker of [connect(), connect()]) {
        await worker.work(
          "replay",
          [
            handles(replayJob, async ({ workId }) => {
              seen.push(workId);
            }),
          ],
          { concurrency: 4 },
        );
      }
      const ids = Array.from({ length: 1_100 }, (_, index) => BigInt(index + 1));
      await producer.addReplay(ids);
      await until(() => seen.length >= ids.length);
      await until(async () => (await producer.counts("replay")).active === 0);
      expect(new Set(seen).size).toBe(ids.length);
      expect(seen.length).toBe(ids.length);
    });

    it("takes an id once while it waits or runs, and again when it is done", async () => {
      const queues = connect();
      await queues.addReplay([7n, 7n]);
      await queues.addReplay([7n]);
      expect((await queues.counts("replay")).waiting).toBe(1);
      const gates: (() => void)[] = [];
      await queues.work("replay", [handles(replayJob, () => new Promise((resolve) => gates.push(resolve)))], {
        concurrency: 2,
      });
      await until(() => gates.length === 1);
      await queues.addReplay([7n]);
      expect(await queues.counts("replay")).toEqual({ waiting: 0, active: 1, delayed: 0 });
      gates[0]!();
      await until(async () => (await queues.counts("replay")).active === 0);
      await queues.addReplay([7n]);
      await until(() => gates.length === 2);
      gates[1]!();
      await until(async () => (await queues.counts("replay")).active === 0);
    });

    it("keeps an id above 2^53", async () => {
      const queues = connect();
      const seen: string[] = [];
      await queues.work(
        "replay",
        [
          handles(replayJob, async ({ workId }) => {
            seen.push(workId);
          }),
        ],
        { concurrency: 1 },
      );
      await queues.addReplay([9_007_199_254_740_993n]);
      await until(() => seen.length === 1);
      expect(seen).toEqual(["9007199254740993"]);
    });

    it("tries a job again as often as its contract says, and then forgets it", async () => {
      const queues = connect();
      const job: JobContract<{ deliveryId: string }> = { ...deliverJob, attempts: 3, backoffMs: 10 };
      const attempts: number[] = [];
      await queues.work(
        "webhooks",
        [
          handles(job, async (_, { attempt }) => {
            attempts.push(attempt);
            throw new Error("down");
          }),
        ],
        { concurrency: 1 },
      );
      await queues.add(job, [{ deliveryId: "0190f2a4-0000-7000-8000-000000000001" }]);
      await until(() => attempts.length >= 3);
      await until(async () => {
        const { waiting, active, delayed } = await queues.counts("webhooks");
        return waiting + active + delayed === 0;
      });
      expect(attempts).toEqual([1, 2, 3]);
    });

    it("brings a job up later, without using up a try, when its handler asks for that", async () => {
      const queues = connect();
      const job: JobContract<{ workId: string }> = { ...replayJob, attempts: 2, backoffMs: 10 };
      const seen: [attempt: number, starts: number][] = [];
      await queues.work(
        "replay",
        [
          handles(job, async (_, { attempt, starts }) => {
            seen.push([attempt, starts]);
            if (starts <= 3) throw new TryLater(20.25, "busy");
            throw new Error("down");
          }),
        ],
        { concurrency: 1 },
      );
      await queues.add(job, [{ workId: "1" }]);
      await until(() => seen.length >= 5);
      await until(async () => {
        const { waiting, active, delayed } = await queues.counts("replay");
        return waiting + active + delayed === 0;
      });
      expect(seen).toEqual([
        [1, 1],
        [1, 2],
        [1, 3],
        [1, 4],
        [2, 5],
      ]);
    });

    it("lets no payload through that is not of the contract", async () => {
      const queues = connect();
      const loose: JobContract<{ workId: string }> = {
        ...replayJob,
        schema: z.object({ workId: z.string() }),
        attempts: 1,
      };
      const seen: string[] = [];
      await queues.add(loose, [{ workId: "1; drop" }, { workId: "12" }]);
      await queues.work(
        "replay",
        [
          handles(replayJob, async ({ workId }) => {
            seen.push(workId);
          }),
        ],
        { concurrency: 1 },
      );
      await until(async () => {
        const { waiting, active, delayed } = await queues.counts("replay");
        return waiting + active + delayed === 0;
      });
      expect(seen).toEqual(["12"]);
    });

    it("takes up the job of a worker that is gone", async () => {
      const lost = connect();
      let taken = 0;
      await lost.work("replay", [handles(replayJob, () => new Promise(() => void taken++))], {
        concurrency: 1,
      });
      await lost.addReplay([1n]);
      await until(() => taken === 1);
      await lost.close(0);

      const heir = connect();
      expect((await heir.counts("replay")).active).toBe(1);
      const seen: string[] = [];
      await heir.work(
        "replay",
        [
          handles(replayJob, async ({ workId }) => {
            seen.push(workId);
          }),
        ],
        { concurrency: 1 },
      );
      await until(() => seen.length === 1);
    });

    it("runs a schedule once over all processes, however often it is set up", async () => {
      let ticks = 0;
      const processes = [connect(), connect()];
      for (const queues of processes) {
        await queues.schedule(reconcileJob, 200);
        await queues.schedule(reconcileJob, 200);
        await queues.work("maintenance", [handles(reconcileJob, async () => void ticks++)], {
          concurrency: 2,
        });
      }
      await until(() => ticks >= 5);
      const { waiting, active, delayed } = await processes[0]!.counts("maintenance");
      expect(waiting + active + delayed).toBeLessThanOrEqual(2);
    });

    it("changes the pace of a schedule", async () => {
      const queues = connect();
      let ticks = 0;
      await queues.work("maintenance", [handles(reconcileJob, async () => void ticks++)], { concurrency: 1 });
      await queues.schedule(reconcileJob, 3_600_000);
      await until(() => ticks === 1);
      await until(async () => {
        // Now and then, as it is to be called: the job at hand may have set up the next at the old pace.
        await queues.schedule(reconcileJob, 100);
        return ticks >= 4;
      });
    });

    it("sets a lost schedule up again", async () => {
      const queues = connect();
      let ticks = 0;
      await queues.schedule(reconcileJob, 100);
      await queues.work("maintenance", [handles(reconcileJob, async () => void ticks++)], { concurrency: 1 });
      await until(() => ticks >= 2);
      await backend.forget();
      await sleep(300);
      const before = ticks;
      expect((await queues.counts("maintenance")).delayed).toBe(0);
      await queues.schedule(reconcileJob, 100);
      await until(() => ticks >= before + 3);
    });

    it("lets the job in hand finish when it closes", async () => {
      const queues = connect();
      const gate: { open?: () => void } = {};
      let finished = false;
      await queues.work(
        "replay",
        [
          handles(replayJob, async () => {
            await new Promise<void>((resolve) => {
              gate.open = resolve;
            });
            finished = true;
          }),
        ],
        { concurrency: 1 },
      );
      await queues.addReplay([1n]);
      await until(() => gate.open !== undefined);
      const closed = queues.close(20_000);
      await sleep(100);
      gate.open!();
      await closed;
      expect(finished).toBe(true);
      expect(await connect().counts("replay")).toEqual({ waiting: 0, active: 0, delayed: 0 });
    });

    it("asks a long job to hand back, and has it tried again", async () => {
      const queues = connect();
      let begun = false;
      await queues.work(
        "replay",
        [
          handles(replayJob, async (_, { signal }) => {
            begun = true;
            await new Promise((_, reject) => {
              signal.addEventListener("abort", () => reject(new Error("handed back")));
            });
          }),
        ],
        { concurrency: 1 },
      );
      await queues.addReplay([1n]);
      await until(() => begun);
      await queues.close(4_000);
      expect(await connect().counts("replay")).toEqual({ waiting: 0, active: 0, delayed: 1 });
    });

    it("closes by the deadline although a job never ends", async () => {
      const queues = connect();
      let begun = false;
      await queues.work(
        "replay",
        [
          handles(replayJob, () => {
            begun = true;
            return new Promise(() => {});
          }),
        ],
        { concurrency: 1 },
      );
      await queues.addReplay([1n]);
      await until(() => begun);
      await queues.close(200);
      expect((await connect().counts("replay")).active).toBe(1);
    });
  });
}
