import type { SignatureGroup } from "../compare/group.js";
import { Prisma } from "./generated/client.js";
import type { Part } from "./outcomes.js";
import { column } from "./sql.js";

/**
 * The part of a commit that makes known the groups of its divergences. A group that is there is not touched: nothing
 * waits for its row, however many commits have it at a time. In one order, so that two commits that are the first to
 * have the same groups cannot wait for each other.
 */
export function insertGroups(groups: readonly Part<SignatureGroup>[]): Prisma.Sql {
  return Prisma.sql`
      INSERT INTO signatures (candidate_id, hash, kind, output, magnitude, flip, shape)
      SELECT DISTINCT ON (g.hash) r.candidate_id, g.hash, g.kind, g.output, g.magnitude, g.flip, g.shape::bigint[]
      FROM unnest(
        ${column(groups, ({ place }) => place)}::bigint[],
        ${column(groups, ({ part: g }) => g.signature)}::text[],
        ${column(groups, ({ part: g }) => g.kind)}::text[],
        ${column(groups, ({ part: g }) => g.output)}::text[],
        ${column(groups, ({ part: g }) => g.magnitude)}::float8[],
        ${column(groups, ({ part: g }) => g.flip)}::bool[],
        ${column(groups, ({ part: g }) => g.shape && shapeLiteral(g.shape))}::text[]
      ) AS g(place, hash, kind, output, magnitude, flip, shape)
      JOIN kept k ON k.place = g.place
      JOIN runs r ON r.id = k.run_id
      ORDER BY g.hash
      ON CONFLICT DO NOTHING`;
}

/** A shape as a literal of bigint[]. A dimension may be any number when another is 0: no element contradicts it. */
export function shapeLiteral(shape: readonly number[]): string {
  return `{${shape.map((dim) => BigInt(Math.min(dim, Number.MAX_SAFE_INTEGER)))}}`;
}
