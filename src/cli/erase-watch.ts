import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "../api-client.js";
import type { Erasure } from "../control/api.js";
import { eraseProgress } from "./erase-text.js";

const pollMs = 500;

/** Waits for the end of an erasure, with its progress on stderr; returns it as it is after `waitMs` at the latest. */
export async function watchErasure(api: ApiClient, begun: Erasure, waitMs: number): Promise<Erasure> {
  const { stderr } = process;
  const untilMs = performance.now() + waitMs;
  let told = "";
  for (let erasure = begun; ; erasure = await api.get<Erasure>(`/erasures/${begun.id}`)) {
    const line = eraseProgress(erasure);
    if (line !== told) stderr.write(`${line}\n`);
    told = line;
    if (erasure.state === "done" || performance.now() >= untilMs) return erasure;
    await sleep(pollMs);
  }
}
