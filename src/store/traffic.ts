import type { PrismaClient } from "./client.js";
import { time } from "./sql.js";

/** What went through the gateways for one deployment, captured or not. */
export interface Traffic {
  /** Start of the first minute in which something was received; null: nothing was. */
  firstMs: number | null;
  requests: number;
  /** Of the bodies. */
  requestBytes: number;
  responseBytes: number;
  /**
   * Bytes that are stored for each byte of captured bodies, of the newest segments; null: there are none. What is stored
   * once under its hash is a whole day's, and counts by their share of the day's captures.
   */
  storedShare: number | null;
}

export interface TrafficReader {
  /** @param sinceMs only minutes that begin from then on */
  read(deploymentId: number, sinceMs: number): Promise<Traffic>;
}

/** Segments whose size is held against that of their bodies. */
const segmentsMax = 20;

export function createTrafficReader(prisma: Pick<PrismaClient, "$queryRaw">): TrafficReader {
  return {
    async read(deploymentId, sinceMs) {
      const [row] = await prisma.$queryRaw<(Omit<Traffic, "firstMs"> & { first: Date | null })[]>`
        WITH newest AS (
          SELECT id, day, bytes, captures FROM segments WHERE deployment_id = ${deploymentId}
          ORDER BY day DESC, last_at DESC LIMIT ${segmentsMax}
        ), days AS (
          SELECT day,
            (SELECT sum(b.bytes) FROM bodies b WHERE b.deployment_id = ${deploymentId} AND b.day = n.day) AS apart,
            (SELECT sum(s.captures) FROM segments s WHERE s.deployment_id = ${deploymentId} AND s.day = n.day) AS captures
          FROM (SELECT DISTINCT day FROM newest) n
        ), sizes AS (
          SELECT n.bytes + coalesce(d.apart, 0) * n.captures / d.captures AS stored,
            (SELECT sum(c.request_bytes::bigint + c.response_bytes)
               FROM captures c WHERE c.day = n.day AND c.segment_id = n.id) AS bodies
          FROM newest n JOIN days d USING (day)
        )
        SELECT min(minute) AS first,
          coalesce(sum(received), 0)::float8 AS requests,
          coalesce(sum(request_bytes), 0)::float8 AS "requestBytes",
          coalesce(sum(response_bytes), 0)::float8 AS "responseBytes",
          (SELECT (sum(stored) / nullif(sum(bodies), 0))::float8 FROM sizes) AS "storedShare"
        FROM ledger_counts
        WHERE deployment_id = ${deploymentId} AND minute >= ${time(sinceMs)}::timestamptz AND received > 0`;
      const { first, ...counts } = row!;
      return { ...counts, firstMs: first?.getTime() ?? null };
    },
  };
}
