import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";
import { levelsKeptAs } from "./rollup-levels.js";
import type { RollupHorizons } from "./rollup-spans.js";
import { time } from "./sql.js";

const settingName = "rollup_horizons";

/** Nothing was dropped yet. */
const none: RollupHorizons = { minuteMs: 0, hourMs: 0 };

/** From when on the finer levels are kept. */
export async function readHorizons(prisma: Pick<PrismaClient, "$queryRaw">): Promise<RollupHorizons> {
  const [row] = await prisma.$queryRaw<{ value: RollupHorizons }[]>`
    SELECT value FROM settings WHERE name = ${settingName}`;
  return row?.value ?? none;
}

/**
 * Drops rollups of minutes, and of hours, that are older than so many whole days, and those of the levels kept as these
 * are; coarser ones have them all. What goes is older than the horizons of the turn before: whoever has just read those
 * still finds every row. By the database's clock.
 *
 * @returns how many rows went
 */
export async function dropFineRollups(
  prisma: PrismaClient,
  keep: { minuteDays: number; hourDays: number },
): Promise<number> {
  const { minuteMs, hourMs } = await readHorizons(prisma);
  const isOld = Prisma.sql`(level IN (${Prisma.join(levelsKeptAs("minute"))}) AND start < ${time(minuteMs)}::timestamptz)
       OR (level IN (${Prisma.join(levelsKeptAs("hour"))}) AND start < ${time(hourMs)}::timestamptz)`;
  const dropped =
    (await prisma.$executeRaw`DELETE FROM rollups WHERE ${isOld}`) +
    (await prisma.$executeRaw`DELETE FROM ledger_rollups WHERE ${isOld}`);
  const dayBefore = (days: number) =>
    Prisma.sql`extract(epoch FROM date_trunc('day', now() - ${days}::int * interval '1 day', 'UTC')) * 1000`;
  await prisma.$executeRaw`
    INSERT INTO settings AS old (name, value)
    SELECT ${settingName}, jsonb_build_object(
      'minuteMs', greatest(${minuteMs}::float8, (${dayBefore(keep.minuteDays)})::float8),
      'hourMs', greatest(${hourMs}::float8, (${dayBefore(keep.hourDays)})::float8))
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = now()`;
  return dropped;
}
