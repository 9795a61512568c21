import { seeded } from "../stats/random.js";

/** The seed of this run of the fault suite, which says which faults come when: `npm run test:faults -- --seed N`. */
export const seed = Number(process.env.UNDERSTUDY_FAULT_SEED ?? 1);

/** How long a server stays away where a row says a minute: `npm run test:faults -- --away SECONDS`. */
export const awayMs = 1_000 * Number(process.env.UNDERSTUDY_FAULT_AWAY_SECONDS ?? 10);

/** Draws of one test; each has a stream of its own, so that a test gives the same when it runs alone. */
export function schedule(name: string) {
  let mixed = seed;
  for (const character of name) mixed = (Math.imul(mixed, 31) + character.codePointAt(0)!) | 0;
  const random = seeded(mixed);
  return {
    /** A whole number from `min` up to and with `max`. */
    between: (min: number, max: number) => min + Math.floor(random() * (max - min + 1)),
    pick: <Member>(members: readonly Member[]): Member => members[Math.floor(random() * members.length)]!,
  };
}

/** Says that a fault has fired, and by what that is known. */
export function proof(row: number, fired: string): void {
  process.stderr.write(`row ${row}, seed ${seed}: ${fired}\n`);
}
