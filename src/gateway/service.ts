import cluster from "node:cluster";
import type { Config } from "../config.js";
import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import { type Registry, serveMetrics } from "../metrics.js";
import { urlOf } from "../process/address.js";
import { listen } from "../process/listen.js";
import type { Service } from "../process/service.js";
import type { GatewayConfig } from "../store/types.js";
import { readAuthorities } from "../upstream/authorities.js";
import { type CaptureLink, startCaptureLink } from "./capture-link.js";
import { captureCloseMs } from "./deadlines.js";
import { createGatewayMetrics } from "./metrics.js";
import { answerMetrics } from "./metrics-port.js";
import { createPrimaries } from "./primaries.js";
import { buildRoutes } from "./routes.js";
import { createGatewayServer, type ServerState } from "./server.js";
import { createRouteStats, type RouteStats } from "./stats.js";

/**
 * Starts the data plane: the HTTP server in front of the primaries on this thread, and the capture side on another.
 * It serves as long as the primary does; the database is asked, and written to, by the capture side only.
 *
 * @throws UnderstudyError `port_in_use`, `config_invalid`
 */
export async function startGateway(deps: { config: Config; log: Logger }): Promise<Service> {
  const { config, log } = deps;
  const limits = config.gateway;
  const primaries = createPrimaries({ limits, ca: readAuthorities(config.caFile), log });
  const state: ServerState = { routes: null, inFlight: 0, closing: false };
  const statsById = new Map<number, RouteStats>();
  const otherStats = createRouteStats("");
  const nameOf = (id: number) => statsById.get(id)?.deployment ?? "";
  let deployments: GatewayConfig | null =
    config.defaultPrimary === undefined ? null : { captureEnabled: true, deployments: [] };
  let link: CaptureLink | null = null;

  function statsOf({ id, name }: { id: number; name: string }): RouteStats {
    let stats = statsById.get(id);
    if (stats === undefined) {
      stats = createRouteStats(name);
      statsById.set(id, stats);
    }
    return stats;
  }

  function route(): void {
    // The first deployments arrive while the link is being made.
    if (deployments === null || link === null) return;
    try {
      state.routes = buildRoutes({
        config: deployments,
        defaultPrimary: config.defaultPrimary,
        primaries,
        tally: link.tally,
        statsOf,
      });
    } catch (error) {
      log.error({ error: messageOf(error) }, "the deployments cannot be taken over; going on as they were");
    }
  }

  const linked = await startCaptureLink({
    config,
    gateway: nameOfThis(config),
    onDeployments: (changed) => {
      deployments = changed;
      route();
    },
    onTally: route,
    log,
  });
  link = linked;
  route();
  if (state.routes === null) {
    log.error(
      "serving nobody yet: no deployments are known, for Postgres does not answer and there is no copy from before; " +
        "check DATABASE_URL, or set UNDERSTUDY_DEFAULT_PRIMARY to serve without it",
    );
  }

  const budget = { bodyBytesMax: config.bodyBytesMax, heldBytesMax: config.bufferBytes, heldBytes: 0 };
  const server = createGatewayServer({ state, budget, otherStats, random: Math.random, limits });
  try {
    const registry = createGatewayMetrics({
      state,
      link: linked,
      stats: () => [otherStats, ...statsById.values()],
      nameOf,
      spoolBytesMax: config.spoolBytesMax,
    });
    const metrics = await expose(registry, config);
    const port = await listen(server.socket, {
      host: config.host,
      port: config.gatewayPort,
      what: "gateway",
      setting: "UNDERSTUDY_GATEWAY_PORT",
    }).catch(async (error) => {
      await metrics.close();
      throw error;
    });
    return {
      ready: {
        url: urlOf(config.host, port),
        port,
        ...(metrics.port === null ? {} : { metrics: `${urlOf(config.host, metrics.port)}/metrics` }),
      },
      async close() {
        state.closing = true;
        await server.close(limits.drainMs);
        await linked.close(captureCloseMs);
        await primaries.close();
        await metrics.close();
      },
    };
  } catch (error) {
    await linked.close(captureCloseMs);
    await primaries.close();
    throw error;
  }
}

/** One of several that serve a port together has no metrics port of its own: the process that started it asks. */
async function expose(
  registry: Registry,
  config: Config,
): Promise<{ port: number | null; close(): Promise<void> }> {
  if (!cluster.isWorker) return serveMetrics(registry, config.host, config.metricsPort);
  const stop = answerMetrics(registry);
  return { port: null, close: async () => stop() };
}

function nameOfThis({ hostname, gatewayPort }: Config): string {
  const place = gatewayPort === 0 ? `pid${process.pid}` : String(gatewayPort);
  return `${hostname}:${place}${cluster.isWorker ? `#${cluster.worker?.id}` : ""}`;
}
