import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { isIPv6 } from "node:net";
import { UnderstudyError } from "../errors.js";
import { createMetrics } from "../metrics.js";
import { webRoot } from "../paths.js";
import type { Service } from "../process/service.js";
import { createApp } from "./app.js";
import type { ControlContext } from "./context.js";
import { addStoreMetrics } from "./metrics.js";

/** How long requests in hand may take once the service closes. */
const closeMs = 3_000;

/**
 * Serves the API, the reviewer page and the metrics. Whoever made the store closes it, after this.
 * @throws UnderstudyError `port_in_use`
 */
export async function startControl(context: ControlContext): Promise<Service> {
  const { config, log, store } = context;
  const metrics = createMetrics();
  addStoreMetrics(metrics, store.gauges, log);
  const server = createServer(createApp(context, metrics, webRoot));
  // Behind a proxy or a browser, connections are kept for longer than Node's five seconds.
  server.keepAliveTimeout = 65_000;
  const port = await listen(server, config.host, config.controlPort);
  const host = isIPv6(config.host) ? `[${config.host}]` : config.host;
  return { ready: { url: `http://${host}:${port}`, port }, close: () => close(server) };
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE") {
        reject(error);
        return;
      }
      reject(
        new UnderstudyError("port_in_use", `Port ${port} on ${host} is in use`, {
          hint: "Set UNDERSTUDY_CONTROL_PORT to another port, or to 0 for any free one.",
          cause: error,
        }),
      );
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
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
