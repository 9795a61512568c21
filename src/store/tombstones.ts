import { Prisma } from "./generated/client.js";

/**
 * By what a tombstone knows the capture `c` of the deployment `d`: its own id, a keyed hash of whose it is, and a salted
 * hash of the id that its client gave it.
 */
const marksOf = Prisma.sql`
  'capture:' || c.id,
  'subject:' || c.subject,
  ${requestMark(Prisma.sql`d.erasure_salt`, Prisma.sql`(c.tags ->> 'x-request-id')`)}`;

/** A client's id as tombstones hold it. */
export function requestMark(salt: Prisma.Sql, id: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`'request:' || encode(sha256(convert_to(${salt}::text || ':' || ${id}, 'UTF8')), 'hex')`;
}

/**
 * The erasure that the capture `c` of the deployment `d` falls to, if any: the body of a query of at most one row.
 *
 * @param clockOffsetMs what the clock of the capture's gateway is ahead of Postgres', in milliseconds
 * @param of only tombstones `t` of which this holds
 */
export function tombstoneOf(clockOffsetMs: Prisma.Sql, of: Prisma.Sql = Prisma.sql`TRUE`): Prisma.Sql {
  return Prisma.sql`
    SELECT t.erasure_id FROM tombstones t
    WHERE t.deployment_id = d.id AND t.mark IN (${marksOf}) AND ${of}
      AND t.until >= c.received_at - ${clockOffsetMs} * interval '1 millisecond'
    ORDER BY t.erasure_id LIMIT 1`;
}

/** Captures `c` that an erasure's tombstones mean and that are not marked: `FROM … WHERE …`. */
export function markable(erasureId: string): Prisma.Sql {
  return Prisma.sql`
    FROM captures c
    JOIN deployments d ON d.id = c.deployment_id
    JOIN segments s ON s.id = c.segment_id
    LEFT JOIN gateway_epochs g ON g.epoch = s.gateway_epoch
    WHERE c.erasure_id IS NULL AND EXISTS (${tombstoneOf(
      Prisma.sql`coalesce(g.clock_offset_ms, 0)`,
      Prisma.sql`t.erasure_id = ${erasureId}::uuid`,
    )})`;
}

/** A CTE that counts what `new_captures` wrote of captures with tombstones. */
export const countFound = Prisma.sql`
    new_found AS (
      UPDATE erasures e SET found = e.found + n.captures
      FROM (SELECT erasure_id, count(*) AS captures FROM new_captures WHERE erasure_id IS NOT NULL GROUP BY 1) n
      WHERE e.id = n.erasure_id
    )`;
