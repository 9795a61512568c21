import { createServer, type Server } from "node:http";
import { createWebhooks } from "../alerts/webhook.js";
import { createMetrics } from "../metrics.js";
import { webRoot } from "../paths.js";
import { urlOf } from "../process/address.js";
import { listen } from "../process/listen.js";
import type { Service } from "../process/service.js";
import { createApp } from "./app.js";
import type { ControlContext } from "./context.js";
import { createEventStreams } from "./event-streams.js";
import { addStoreMetrics } from "./metrics.js";

/** How long requests in hand may take once the service closes. */
const closeMs = 3_000;

/**
 * Serves the API, the reviewer page and the metrics. Whoever made the store closes it, after this.
 * @throws UnderstudyError `port_in_use`
 */
export async function startControl(given: Omit<ControlContext, "webhooks">): Promise<Service> {
  const { config, log, store } = given;
  const webhooks = createWebhooks(config.webhookAllow);
  const context: ControlContext = { ...given, webhooks };
  const metrics = createMetrics();
  addStoreMetrics(metrics, store.gauges, log);
  const streams = createEventStreams(log);
  const server = createServer(createApp(context, metrics, webRoot, streams));
  // Behind a proxy or a browser, connections are kept for longer than Node's five seconds.
  server.keepAliveTimeout = 65_000;
  const port = await listen(server, {
    host: config.host,
    port: config.controlPort,
    what: "control plane",
    setting: "UNDERSTUDY_CONTROL_PORT",
  });
  return {
    ready: { url: urlOf(config.host, port), port },
    close: () => {
      streams.close();
      return close(server).finally(() => webhooks.close());
    },
  };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), closeMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
