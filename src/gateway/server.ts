import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Config } from "../config.js";
import { Turn } from "../http1/turn.js";
import { readTarget } from "../protocol/call.js";
import { lastIfClosing } from "./drain.js";
import { Exchange } from "./exchange.js";
import { clientCheckMs } from "./limits.js";
import { answerError, answerJson } from "./replies.js";
import type { RouteTable } from "./routes.js";
import { type CaptureBudget, sight } from "./sighting.js";
import { countRequest, type RouteStats } from "./stats.js";
import { whenOver } from "./when-over.js";

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
  /** How often connections are held against the time that a client may take. */
  checkMs?: number;
}): Server {
  const { state, budget, otherStats, random, limits, checkMs = clientCheckMs } = deps;

  const serving = { state, turn: new Turn(), clientSilenceMs: limits.clientSilenceMs };
  /** Requests that wait for their turn, by connection; none that was never sent ahead on. */
  const ahead = new WeakMap<Socket, number>();
  const ended = () => {
    state.inFlight -= 1;
  };

  /** @param isHeld whether the client waits for `100 Continue` before it sends its body */
  function handle(request: IncomingMessage, response: ServerResponse, isHeld = false): void {
    // Sent ahead, before the answer to the one before it has gone out. Its turn comes when that has: a connection that
    // could have any number of requests under way would be beyond every limit, and Node tells of one that breaks only
    // those whose turn it is.
    if (response.socket === null) {
      park(request, response, isHeld);
      return;
    }
    lastIfClosing(response, state);
    const method = request.method!;
    const target = originForm(request.url!);
    if (target === "/healthz" || target === "/readyz") {
      answerOwn(target, response, state);
      return;
    }
    state.inFlight += 1;
    // A client may go on sending what was answered already.
    response.once("close", () => whenOver(request, ended));
    if (target === null) {
      refuse(response, 400, "the request's target is not a path");
      return;
    }
    const { model, call } = readTarget(method, target);
    const route = model === null ? undefined : state.routes?.byModel.get(model);
    const primary = (route?.primary ?? state.routes?.fallback)?.choose();
    if (!primary) {
      refuse(response, 404, noPrimary(model));
      return;
    }
    const sighting =
      route && call !== null
        ? sight(route, { method, path: target, rawHeaders: request.rawHeaders }, budget, random)
        : null;
    const stats = route?.stats ?? otherStats;
    new Exchange(request, response, primary, stats, sighting, serving).start(target, isHeld);
  }

  function refuse(response: ServerResponse, status: number, message: string): void {
    const receivedMs = performance.now();
    response.once("close", () => countRequest(otherStats, response, false, performance.now() - receivedMs));
    answerError(response, status, message);
  }

  /** Node reads on while requests wait, holds each of them, and takes longer than linear time to end them all. */
  function park(request: IncomingMessage, response: ServerResponse, isHeld: boolean): void {
    const { socket } = request;
    const waiting = (ahead.get(socket) ?? 0) + 1;
    if (waiting > limits.pipelinedMax) {
      socket.destroy();
      return;
    }
    ahead.set(socket, waiting);
    response.once("socket", () => {
      ahead.set(socket, ahead.get(socket)! - 1);
      handle(request, response, isHeld);
    });
  }

  const server = createServer(
    {
      keepAliveTimeout: limits.keepAliveMs,
      headersTimeout: limits.headMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: checkMs,
      maxHeaderSize: limits.headBytesMax,
      noDelay: true,
    },
    handle,
  );
  // Node would tell the client to go on; that is for the primary to say.
  server.on("checkContinue", (request, response) => handle(request, response, true));
  server.maxConnections = limits.connectionsMax;
  // No limit but that on the head's bytes: beyond a number Node leaves headers out, in silence and even those that frame.
  server.maxHeadersCount = 0;
  return server;
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

function answerOwn(target: string, response: ServerResponse, state: ServerState): void {
  const ready = state.routes !== null && !state.closing;
  if (target === "/healthz" || ready) answerJson(response, 200, { status: "ok" });
  else answerJson(response, 503, { status: state.closing ? "closing" : "no deployments known yet" });
}
