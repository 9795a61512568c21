import { Pool } from "undici";

/**
 * The bare loop: `concurrency` requests under way at a time, each answer read to its end and parsed not at all.
 * @returns seconds
 */
export async function undiciLoop(
  url: string,
  path: string,
  bodies: readonly Uint8Array[],
  concurrency: number,
): Promise<number> {
  const pool = new Pool(url, { connections: concurrency, pipelining: 1 });
  let next = 0;
  let answered = 0;
  const take = async () => {
    while (next < bodies.length) {
      const body = bodies[next++]!;
      const response = await pool.request({
        method: "POST",
        path,
        headers: { "content-type": "application/json" },
        body,
      });
      const answer = await response.body.arrayBuffer();
      if (response.statusCode === 200 && answer.byteLength > 0) answered += 1;
    }
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: concurrency }, take));
  const seconds = (performance.now() - startMs) / 1_000;
  await pool.destroy();
  if (answered !== bodies.length) throw new Error(`${answered} of ${bodies.length} were answered`);
  return seconds;
}
