import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config.js";
import { UnderstudyError } from "../errors.js";
import type { Call } from "../protocol/call.js";
import { createAborts } from "./aborts.js";
import { readAuthorities } from "./authorities.js";
import { describeModel, type ModelMetadata } from "./describe.js";
import type { Endpoint } from "./endpoint.js";
import { type Exchange, type ExchangeLimits, type ExchangeRequest, exchange } from "./exchange.js";
import { createGuard } from "./guard.js";
import type { Attempt, Observation } from "./observation.js";
import { createOrigins } from "./origins.js";
import { baseOf, callAddressOf } from "./paths.js";
import { defaultRetries, type Retries } from "./retries.js";

/** A request for a model, without the address of the model. */
export interface UpstreamRequest {
  /** What the model is asked for. */
  call: Call;
  /** Content headers. */
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
}

/** Client of V2 endpoints. */
export interface Upstream {
  /**
   * Sends one inference. Total for whatever the endpoint does: every failure is an observation. Refused connections,
   * 429 and 503 are tried again as `retries` says, within `timeoutMs`; nothing else is tried again.
   *
   * @throws the signal's reason; UnderstudyError `config_invalid` when a secret of the endpoint is not set.
   */
  send(endpoint: Endpoint, request: UpstreamRequest, limits: SendLimits): Promise<Observation>;
  /**
   * What the endpoint says of its model.
   * @throws UnderstudyError `endpoint_unreachable`, `endpoint_not_v2`, `address_refused` or `config_invalid`.
   */
  describe(endpoint: Endpoint): Promise<ModelMetadata>;
  /** Opens connections before they are needed, until so many stand by; they do for two seconds. */
  keepReady(endpoint: Endpoint, connections: number): void;
  close(): Promise<void>;
}

/** Of one inference: `timeoutMs` is for all its attempts and the pauses between them. */
export interface SendLimits extends ExchangeLimits {
  /** Default: {@link defaultRetries}. */
  retries?: Retries;
}

/** Half to the whole of the pause, drawn anew each time, so that many who were refused do not come back at once. */
const backoff = (attempt: number, firstMs: number) =>
  firstMs * 4 ** (attempt - 1) * (0.5 + Math.random() / 2);

/** Where the requests of one call go, and the endpoint's own headers with the values of their secrets; null: none. */
interface Destination {
  address: { origin: string; path: string };
  headers: Record<string, string> | null;
}

function attemptOf(startedMs: number, came: Exchange): Attempt {
  const { latencyMs, status } = came;
  if (came.ok) return { startedMs, latencyMs, status: came.status };
  const { failure } = came;
  return status === undefined ? { startedMs, latencyMs, failure } : { startedMs, latencyMs, status, failure };
}

/** @param atOnce requests have their time: they go out when they are sent, at some cost to all else in the thread */
export function createUpstream({
  config,
  atOnce = false,
}: {
  config: Pick<Config, "secret"> & Partial<Pick<Config, "caFile">>;
  atOnce?: boolean;
}): Upstream {
  // A model may live anywhere but on a metadata service: in the cluster, on this machine.
  const origins = createOrigins(createGuard({ internal: "allow" }), {
    ca: readAuthorities(config.caFile),
    atOnce,
  });
  const deps = { origins, aborts: createAborts() };

  const destinations = new WeakMap<Endpoint, Map<Call, Destination>>();

  /** What an endpoint comes to, once for all requests of one call that are sent by one work. */
  function destinationOf(endpoint: Endpoint, call: Call): Destination {
    const known = destinations.get(endpoint)?.get(call);
    if (known !== undefined) return known;
    const own = ownHeaders(endpoint);
    const destination = {
      address: callAddressOf(endpoint, call),
      headers: Object.keys(own).length === 0 ? null : own,
    };
    const ofEndpoint = destinations.get(endpoint) ?? new Map<Call, Destination>();
    destinations.set(endpoint, ofEndpoint.set(call, destination));
    return destination;
  }

  /** The endpoint's own headers, with the values of their secrets. */
  function ownHeaders(endpoint: Endpoint): Record<string, string> {
    return Object.fromEntries(
      Object.entries(endpoint.headers).map(([name, secretName]) => {
        const value = config.secret(secretName);
        if (value === undefined) {
          throw new UnderstudyError(
            "config_invalid",
            `The secret ${secretName} of ${endpoint.url} is not set`,
            {
              hint: `Set UNDERSTUDY_SECRET_${secretName.toUpperCase().replace(/[^A-Z0-9]/g, "_")}.`,
            },
          );
        }
        return [name.toLowerCase(), value];
      }),
    );
  }

  async function send(
    endpoint: Endpoint,
    { call, headers, body }: UpstreamRequest,
    limits: SendLimits,
  ): Promise<Observation> {
    const { address, headers: own } = destinationOf(endpoint, call);
    const request: ExchangeRequest = {
      origin: address.origin,
      path: address.path,
      method: "POST",
      headers: own === null ? headers : { ...headers, ...own },
      body,
    };
    const beganMs = performance.now();
    const attempts: Attempt[] = [];
    const { retries = defaultRetries } = limits;
    for (;;) {
      const isFirst = attempts.length === 0;
      const startedMs = isFirst ? 0 : performance.now() - beganMs;
      const left = isFirst ? limits : { ...limits, timeoutMs: limits.timeoutMs - startedMs };
      const result = await exchange(deps, request, left);
      attempts.push(attemptOf(startedMs, result));
      if (result.ok) {
        const { status, headers, body, latencyMs } = result;
        return { ok: true, status, headers, body, latencyMs, attempts };
      }
      const { retryAfterMs = 0 } = result;
      const pauseMs = Math.max(backoff(attempts.length, retries.backoffMs), retryAfterMs);
      const timeLeftMs = limits.timeoutMs - (performance.now() - beganMs);
      const worthwhile = pauseMs < timeLeftMs && retryAfterMs <= retries.retryAfterMsMax;
      if (!result.retriable || attempts.length > retries.max || !worthwhile) {
        const { failure, message, latencyMs, status } = result;
        return {
          ok: false,
          failure,
          ...(status === undefined ? {} : { status }),
          message,
          latencyMs,
          attempts,
        };
      }
      await sleep(pauseMs, undefined, { signal: limits.signal });
    }
  }

  return {
    send,
    describe: async (endpoint) =>
      describeModel(endpoint, (request, limits) =>
        exchange(deps, { ...request, headers: { ...request.headers, ...ownHeaders(endpoint) } }, limits),
      ),
    keepReady: ({ url }, connections) => origins.keep(baseOf(url).origin, connections),
    close: async () => origins.close(),
  };
}
