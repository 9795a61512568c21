import { newId } from "../../src/ids.js";
import type { BenchDatabase } from "./database.js";

/** One segment and so many works of it, each in the hands of lease 1. Its captures are not catalogued. */
export async function addLeasedWorks(
  { query, deploymentId, runId }: BenchDatabase,
  day: string,
  works: number,
  rows: number,
): Promise<bigint[]> {
  const segment = newId();
  await query(
    `INSERT INTO segments (id, deployment_id, day, gateway_epoch, blob_key, sha256, bytes, captures, first_at, last_at)
     VALUES ($1, $2, $3::date, $1, 'none', '', 0, $4, $3::date, $3::date)`,
    [segment, deploymentId, day, works * rows],
  );
  const added = await query<{ id: string }>(
    `INSERT INTO work (segment_id, run_id, first_row, rows, state, lease, lease_until)
     SELECT $1, $2, n * $4::int, $4, 'leased', 1, now() + interval '1 hour' FROM generate_series(0, $3::int - 1) AS n
     RETURNING id`,
    [segment, runId, works, rows],
  );
  return added.map(({ id }) => BigInt(id));
}
