import type { SignatureGroup } from "../compare/group.js";
import { bools, float8s, texts } from "./binary-columns.js";
import { Prisma } from "./generated/client.js";

/**
 * The part of a commit that makes known the groups of its divergences. A group that is there is not touched: nothing
 * waits for its row, however many commits have it at a time. In one order, so that two commits that are the first to
 * have the same groups cannot wait for each other.
 */
export function insertGroups(given: readonly SignatureGroup[]): Prisma.Sql {
  const groups = [...new Map(given.map((group) => [group.signature, group])).values()].sort((a, b) =>
    a.signature < b.signature ? -1 : 1,
  );
  return Prisma.sql`
      INSERT INTO signatures (candidate_id, hash, kind, output, magnitude, flip, shape)
      SELECT r.candidate_id, g.hash, g.kind, g.output, g.magnitude, g.flip, g.shape::bigint[]
      FROM fence f JOIN runs r ON r.id = f.run_id, (
        SELECT unnest(${texts(groups, (g) => g.signature)}::text[]) AS hash,
               unnest(${texts(groups, (g) => g.kind)}::text[]) AS kind,
               unnest(${texts(groups, (g) => g.output)}::text[]) AS output,
               unnest(${float8s(groups, (g) => g.magnitude)}::float8[]) AS magnitude,
               unnest(${bools(groups, (g) => g.flip)}::bool[]) AS flip,
               unnest(${texts(groups, (g) => g.shape && shapeLiteral(g.shape))}::text[]) AS shape
      ) AS g
      ON CONFLICT DO NOTHING`;
}

/** A shape as a literal of bigint[]. A dimension may be any number when another is 0: no element contradicts it. */
export function shapeLiteral(shape: readonly number[]): string {
  return `{${shape.map((dim) => Math.min(dim, Number.MAX_SAFE_INTEGER))}}`;
}
