import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "undici";
import { requestOf } from "./requests.js";
import type { Rig } from "./rig.js";

/**
 * Sends steady traffic through a gateway, and looks every few milliseconds which comparisons can be read.
 * @returns of every request, the milliseconds from the end of its answer to its comparison being visible, in order
 */
export async function visibleMs(
  rig: Rig,
  candidateUrl: string,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<number[]> {
  const { name, runId } = await rig.deploy(candidateUrl);
  const gateway = await rig.start("gateway", {
    UNDERSTUDY_DATA_DIR: `${rig.folder}/gateway`,
    UNDERSTUDY_GATEWAY_PORT: "0",
  });
  const clients = new Pool(String(gateway.ready.url), { connections: 16 });
  const total = perSecond * seconds;
  const startMs = performance.now();
  const sent: Promise<unknown>[] = [];
  const send = async (number: number) => {
    const { body } = await clients.request({
      method: "POST",
      path: `/v2/models/${name}/infer`,
      headers: { "content-type": "application/json" },
      body: requestOf(number),
    });
    await body.dump();
  };
  const doneAtMs = new Map<string, number>();
  let judged = 0;
  while (judged < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startMs) / 1_000) * perSecond));
    while (sent.length < due) sent.push(send(sent.length));
    const { rows } = await rig.sql.query(
      "SELECT id::text, rows FROM work WHERE run_id = $1 AND state = 'done' AND id <> ALL ($2::bigint[])",
      [runId, [...doneAtMs.keys()]],
    );
    const nowMs = Date.now();
    for (const { id, rows: captures } of rows) {
      doneAtMs.set(id, nowMs);
      judged += captures;
    }
    if (performance.now() - startMs > (seconds + 60) * 1_000) {
      throw new Error(`${judged} of ${total} requests became visible`);
    }
    await sleep(20);
  }
  await Promise.all(sent);
  await clients.close();
  await gateway.stop();
  const { rows } = await rig.sql.query(
    `SELECT o.work_id::text AS work, extract(epoch FROM c.received_at)::float8 * 1000 + c.primary_ms AS "answeredMs"
     FROM outcomes o JOIN captures c ON c.day = o.day AND c.id = o.capture_id WHERE o.run_id = $1`,
    [runId],
  );
  return rows.map(({ work, answeredMs }) => doneAtMs.get(work)! - answeredMs).sort((a, b) => a - b);
}
