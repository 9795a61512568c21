import { UnderstudyError } from "../errors.js";
import { isSameDescription } from "../store/model-description.js";
import type { Store } from "../store/store.js";
import type { Candidate } from "../store/types.js";
import type { Upstream } from "../upstream/client.js";

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

/**
 * Asks a candidate again what it is: its URL says nothing of what answers there by now. A file of ours is not asked;
 * it is its digest, which is checked whenever it is loaded.
 *
 * @returns null when it is what it was when it was registered; why it could not be asked, when it is away
 * @throws UnderstudyError `conflict` when it is something else; what else it says instead of describing itself
 */
export async function absenceOf(
  upstream: Pick<Upstream, "describe">,
  { name, endpoint, sha256, metadata }: Candidate,
): Promise<UnderstudyError | null> {
  if (sha256 !== null) return null;
  try {
    const now = await upstream.describe(endpoint);
    if (isSameDescription({ version: endpoint.version, metadata }, now)) return null;
  } catch (error) {
    if (error instanceof UnderstudyError && error.code === "endpoint_unreachable") return error;
    throw error;
  }
  throw new UnderstudyError(
    "conflict",
    `What answers at ${endpoint.url} describes itself otherwise than when ${name} was registered: it is another model.`,
    {
      hint: "Register it again with `understudy candidate`: a new run begins, and what the other one did counts no more.",
    },
  );
}

/** For a report on what a candidate did before it went away. */
export const unseenRemark = (away: UnderstudyError): string =>
  `The candidate was not there to say whether it still is what was judged. ${away.message}`;
