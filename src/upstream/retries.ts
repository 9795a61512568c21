/** How refused connections, 429 and 503 are tried again. */
export interface Retries {
  /** Attempts after the first. */
  max: number;
  /** Pause before the second attempt at most; four times as long before each further one. */
  backoffMs: number;
  /** Longest Retry-After that is waited for; one that asks for more is not tried again. */
  retryAfterMsMax: number;
}

export const defaultRetries: Retries = { max: 2, backoffMs: 100, retryAfterMsMax: 5_000 };
