import { Pool } from "undici";
import { inferRequest } from "./upstream.js";

/** What clients saw. */
export interface Load {
  /** Requests that were begun, and those that had their whole answer, all with status 200. */
  readonly begun: number;
  readonly answered: number;
  /** Other statuses and broken connections. */
  readonly failures: string[];
  /** Begins no more; resolves when all under way have ended. */
  stop(): Promise<void>;
}

/** Clients that send infer requests one after the other until they are stopped. */
export function startLoad(url: string, model: string, clients = 4, pauseMs = 0): Load {
  const pool = new Pool(url, { connections: clients });
  const load = { begun: 0, answered: 0, failures: [] as string[] };
  let stopped = false;

  async function client(): Promise<void> {
    while (!stopped) {
      load.begun += 1;
      try {
        const { statusCode, body } = await pool.request({
          method: "POST",
          path: `/v2/models/${model}/infer`,
          body: inferRequest([load.begun]),
        });
        await body.text();
        if (statusCode === 200) load.answered += 1;
        else load.failures.push(String(statusCode));
      } catch (error) {
        load.failures.push(String(error));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  const running = Promise.all(Array.from({ length: clients }, client));
  return Object.assign(load, {
    async stop() {
      stopped = true;
      await running;
      await pool.destroy();
    },
  });
}
