/** Why an endpoint gave no usable answer. Closed: every failure of a model is one of these. */
export const failureKinds = [
  "timeout",
  "network",
  "http_4xx",
  "http_5xx",
  "throttled",
  "protocol_error",
  "too_large",
] as const;

export type FailureKind = (typeof failureKinds)[number];

/** One try at sending a request: refused connections, 429 and 503 are tried again, nothing else is. */
export interface Attempt {
  /** Milliseconds since the first attempt began. */
  startedMs: number;
  latencyMs: number;
  status?: number;
  failure?: FailureKind;
}

/**
 * What came back from sending one request to one endpoint: a response, or a named failure. Immutable; a failure is
 * data, not an exception.
 */
export type Observation =
  | {
      ok: true;
      status: number;
      /** Lower-case names; only content headers are kept. */
      headers: Readonly<Record<string, string>>;
      /** As received, before any content coding is removed. */
      body: Uint8Array;
      /** Monotonic, first byte sent to last byte received, of the last attempt. */
      latencyMs: number;
      attempts: readonly Attempt[];
    }
  | {
      ok: false;
      failure: FailureKind;
      status?: number;
      /** A short excerpt of what went wrong, at most 500 characters, safe to show. */
      message: string;
      latencyMs: number;
      attempts: readonly Attempt[];
    };
