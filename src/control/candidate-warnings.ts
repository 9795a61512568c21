import type { Candidate } from "../store/types.js";
import type { Endpoint } from "../upstream/endpoint.js";

/** What a person should know of a candidate's place and load, in sentences. */
export function candidateWarnings(
  primary: Endpoint,
  { endpoint, flow }: Pick<Candidate, "endpoint" | "flow">,
): string[] {
  const host = hostOf(primary.url);
  if (host === null || host !== hostOf(endpoint.url)) return [];
  const load =
    flow.concurrency === 1
      ? "one request at a time in each worker"
      : `up to ${flow.concurrency} requests at a time in each worker`;
  const rate = flow.ratePerSecond === null ? "" : `, ${flow.ratePerSecond} a second at most`;
  return [
    `It shares the host ${host} with the primary: its replays (${load}${rate}) compete with production.`,
  ];
}

/** Names of one machine that say so are one; null where it cannot be told, as for a file that the workers serve. */
function hostOf(url: string): string | null {
  if (!/^https?:/.test(url)) return null;
  const { hostname } = new URL(url);
  return /^(localhost|127\..*|\[::1\])$/.test(hostname) ? "127.0.0.1" : hostname;
}
