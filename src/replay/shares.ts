/** Requests that one work of an unpaced replay has in flight at most. */
const requestsPerWorkMax = 8;

/**
 * How a replay's cap on requests in flight is shared out, over all workers: so many works in hand at a time, each with
 * so many requests in flight. Their product never exceeds the cap.
 *
 * @param concurrency requests in flight at most, 1 or more
 */
export function sharesOf(concurrency: number): { works: number; requests: number } {
  const works = Math.ceil(concurrency / requestsPerWorkMax);
  return { works, requests: Math.floor(concurrency / works) };
}
