import { messageOf, UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";
import type { Breakers } from "../store/breakers.js";
import type { LeasedWork } from "../store/types.js";
import type { Upstream } from "../upstream/client.js";
import type { Endpoint } from "../upstream/endpoint.js";
import type { Breaker } from "./breaker.js";

/** The candidate is not there: its work is put off, and nothing of it is written. */
export class CandidateAway extends Error {}

/**
 * Asks the candidate for its metadata and tells its breaker what came of it; what the breaker says then is written
 * down for people to see. A server that answers anything at all is there.
 *
 * @throws CandidateAway when it does not answer
 */
export async function probe(
  deps: {
    upstream: Pick<Upstream, "describe">;
    breakers: Breakers;
    /** Told of each change, with `deployment/candidate`. */
    onBreaker: (candidate: string, open: boolean) => void;
    log: Logger;
    by: string;
  },
  work: Pick<LeasedWork, "candidateId" | "deploymentName" | "candidateName">,
  endpoint: Endpoint,
  breaker: Breaker,
): Promise<void> {
  const { upstream, breakers, onBreaker, log, by } = deps;
  const candidate = `${work.deploymentName}/${work.candidateName}`;
  const before = breaker.open;
  breaker.probed(await absenceOf(upstream, endpoint));
  const { open } = breaker;
  if (open === null) {
    if (before === null) return;
    onBreaker(candidate, false);
    log.info({ candidate, awayMs: Date.now() - before.openedAtMs }, "candidate answers again");
    await breakers.closed(work.candidateId, by).catch(told);
    return;
  }
  if (before === null) onBreaker(candidate, true);
  log.warn({ candidate, ...open }, "candidate does not answer; its works are put off");
  await breakers.opened(work.candidateId, by, open).catch(told);
  throw new CandidateAway(open.reason);

  // It is for people to see: no reason to hold up the work.
  function told(error: unknown): void {
    log.warn({ candidate, error: messageOf(error) }, "state of the breaker not written");
  }
}

/** Why nothing answers there; null when something does. */
async function absenceOf(upstream: Pick<Upstream, "describe">, endpoint: Endpoint): Promise<string | null> {
  try {
    await upstream.describe(endpoint);
    return null;
  } catch (error) {
    const away = error instanceof UnderstudyError && error.code === "endpoint_unreachable";
    return away ? error.message : null;
  }
}
