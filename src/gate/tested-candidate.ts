import { UnderstudyError } from "../errors.js";
import type { Store } from "../store/store.js";
import type { Candidate } from "../store/types.js";

/**
 * The candidate of that name, to be tested: one that was registered, and not what replays were sent to instead of one
 * (`@control`, `@url`), which pins another endpoint at each replay.
 *
 * @throws UnderstudyError `not_found`
 */
export async function testedCandidate(
  { registry }: Pick<Store, "registry">,
  deployment: string,
  name: string,
): Promise<Candidate> {
  const candidate = await registry.getCandidate(deployment, name);
  if (candidate.state !== "target") return candidate;
  throw new UnderstudyError(
    "not_found",
    `${JSON.stringify(name)} is no candidate, but what replays were sent to.`,
    { hint: `Name a candidate; \`understudy candidate ${deployment} NAME URL\` adds one.` },
  );
}
