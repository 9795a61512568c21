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
  /** Bytes of segments for each byte of the bodies in them, of the newest; null: there are none. */
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
          SELECT id, day, bytes FROM segments WHERE deployment_id = ${deploymentId}
          ORDER BY day DESC, created_at DESC LIMIT ${segmentsMax}
        ), sizes AS (
          SELECT n.bytes AS stored,
            (SELECT sum(c.request_bytes::bigint + c.response_bytes)
               FROM captures c WHERE c.day = n.day AND c.segment_id = n.id) AS bodies
          FROM newest n
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
