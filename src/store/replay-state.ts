import { Prisma } from "./generated/client.js";

/**
 * Whether a replay stands still of itself: a gate began it, and none needs more of it now. Never written down: a gate
 * that ends, or whose process dies before it was looked at, leaves nothing to be undone, and it is not what a person
 * paused.
 *
 * @param p alias of the row of `replays`
 */
export const standsStill = (p: Prisma.Sql): Prisma.Sql => Prisma.sql`(
  ${p}.for_gate AND ${p}.state IN ('planned', 'running')
  AND NOT EXISTS (SELECT FROM gates g WHERE g.run_id = ${p}.run_id AND g.state = 'running' AND g.needs_more))`;

/** The state of a replay, as workers go by it and people see it: what stands still is paused. */
export const stateNow = (p: Prisma.Sql): Prisma.Sql => Prisma.sql`
  CASE WHEN ${standsStill(p)} THEN 'paused' ELSE ${p}.state END`;
