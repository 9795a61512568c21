/** What a group of divergences is at present. The first four a person can say; the last is found. */
export const signatureStates = ["new", "known", "accepted", "fixed", "regressed"] as const;
export type SignatureState = (typeof signatureStates)[number];

export const signatureMarks = ["new", "known", "accepted", "fixed"] as const;

/** What a person said of a group of divergences. Times are Unix milliseconds. */
export interface SignatureMark {
  state: (typeof signatureMarks)[number];
  /** Of `accepted`; null: without an end. */
  acceptedUntilMs: number | null;
  /** null: nobody has said anything yet. */
  updatedAtMs: number | null;
}

/** How often a group was seen in one live run. */
export interface Sighting {
  /** Comparisons that were judged: matches and mismatches of the base sample. */
  samples: number;
  count: number;
  /** null where `count` is 0. */
  firstSeenMs: number | null;
  lastSeenMs: number | null;
}

/**
 * What a group is in the last of these live runs.
 *
 * - `new` until a person says otherwise; `accepted` lapses to `known` at its end.
 * - A known or accepted group is `fixed` in a run in which it does not appear although it should have by now (see
 *   {@link samplesToMiss}).
 * - One that was fixed, or that a person called so, is `regressed` when it appears again, until a person says
 *   something of it anew.
 *
 * @param sightings of the candidate's live runs, oldest first
 */
export function signatureState(
  mark: SignatureMark,
  sightings: readonly Sighting[],
  nowMs: number,
): SignatureState {
  if (mark.state === "new") return "new";
  const isAfterMark = (atMs: number | null) => atMs !== null && atMs > (mark.updatedAtMs ?? 0);
  let found: "fixed" | "regressed" | null = null;
  let seen: Sighting | null = null;
  for (const sighting of sightings) {
    if (sighting.count > 0) {
      const isBack = found === "fixed" && isAfterMark(sighting.firstSeenMs);
      if (isBack || (mark.state === "fixed" && isAfterMark(sighting.lastSeenMs))) found = "regressed";
      else if (found === "fixed") found = null;
      seen = sighting;
    } else if (seen !== null && sighting.samples >= samplesToMiss(seen)) found = "fixed";
  }
  if (found !== null) return found;
  return mark.state === "accepted" && (mark.acceptedUntilMs ?? Number.POSITIVE_INFINITY) <= nowMs
    ? "known"
    : mark.state;
}

/**
 * Samples without it after which a group counts as gone: three times the samples per sighting it had (the rule of
 * three: at the same rate it would have appeared among them with 95 %), and no more than it had in all.
 */
export function samplesToMiss({ samples, count }: Pick<Sighting, "samples" | "count">): number {
  return Math.ceil(samples * Math.min(1, 3 / count));
}
