import type { Config } from "../config.js";
import type { RequestHead } from "../http1/request-head.js";
import { createHttpServer, type HttpServer } from "../http1/server.js";
import type { RequestHandler, ServerConnection } from "../http1/server-connection.js";
import { readTarget } from "../protocol/call.js";
import { Exchange } from "./exchange.js";
import { OwnAnswer } from "./own-answer.js";
import type { RouteTable } from "./routes.js";
import { type CaptureBudget, sight } from "./sighting.js";
import { countRequest, type RouteStats } from "./stats.js";

/** What the server asks at every request, since it changes while it runs. */
export interface ServerState {
  routes: RouteTable | null;
  inFlight: number;
  closing: boolean;
}

/**
 * The data plane's HTTP server: passes everything to the primary that serves the path's model, or to the fallback,
 * but for `/healthz` and `/readyz`, which are the gateway's own.
 */
export function createGatewayServer(deps: {
  state: ServerState;
  budget: CaptureBudget;
  otherStats: RouteStats;
  random: () => number;
  limits: Config["gateway"];
}): HttpServer {
  const { state, budget, otherStats, random, limits } = deps;

  function handle(head: RequestHead, client: ServerConnection): RequestHandler {
    const { method, rawHeaders } = head;
    const target = originForm(head.target);
    if (target === "/healthz" || target === "/readyz") return ownState(target, client, state);
    if (target === null) return refusal(client, 400, "the request's target is not a path");
    const { model, call } = readTarget(method, target);
    const route = model === null ? undefined : state.routes?.byModel.get(model);
    const replica = (route?.primary ?? state.routes?.fallback)?.choose();
    if (!replica) return refusal(client, 404, noPrimary(model));
    const sighting =
      route && call !== null ? sight(route, { method, path: target, rawHeaders }, budget, random) : null;
    return new Exchange({
      head,
      target,
      client,
      replica,
      stats: route?.stats ?? otherStats,
      sighting,
      state,
    });
  }

  function refusal(client: ServerConnection, status: number, error: string): RequestHandler {
    return new OwnAnswer(client, status, { error }, otherStats);
  }

  return createHttpServer({
    limits,
    handle,
    onRefused: (status) => countRequest(otherStats, status, 0),
  });
}

/** Scheme and authority of a whole URL. What follows is passed on as it is: no path is made better on its way. */
const origin = /^https?:\/\/[^/?#]+/i;

/** Clients of a proxy send whole URLs; `*` and the like name nothing that could be passed on. */
function originForm(target: string): string | null {
  if (target.startsWith("/")) return target;
  const before = origin.exec(target)?.[0];
  if (before === undefined) return null;
  const path = target.slice(before.length);
  return path.startsWith("/") ? path : `/${path}`;
}

function noPrimary(model: string | null): string {
  return model === null
    ? "no deployment is known, and no default primary is set"
    : `no deployment serves the model '${model}', and no default primary is set`;
}

function ownState(target: string, client: ServerConnection, state: ServerState): RequestHandler {
  const ready = state.routes !== null && !state.closing;
  if (target === "/healthz" || ready) return new OwnAnswer(client, 200, { status: "ok" }, null);
  const status = state.closing ? "closing" : "no deployments known yet";
  return new OwnAnswer(client, 503, { status }, null);
}
