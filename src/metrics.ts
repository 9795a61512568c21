import { createServer } from "node:http";
import { collectDefaultMetrics, Registry } from "prom-client";
import { listen } from "./process/listen.js";

export { type Aggregator, Counter, Gauge, Histogram, Registry } from "prom-client";

// Their names end in _total although they are gauges, which `promtool check metrics` rejects.
const misnamed = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
];

/** A registry with Node's own metrics, which every process serves. */
export function createMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of misnamed) registry.removeSingleMetric(name);
  return registry;
}

/**
 * Serves `/metrics` on a port of its own, for processes that have no other HTTP port. `port` 0: any free one.
 * @throws UnderstudyError `port_in_use`
 */
export async function serveMetrics(
  registry: { contentType: string; metrics(): Promise<string> },
  host: string,
  port: number,
): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    if (request.url !== "/metrics") {
      response.writeHead(404).end();
      return;
    }
    const body = await registry.metrics();
    response.writeHead(200, { "content-type": registry.contentType }).end(body);
  });
  const bound = await listen(server, { host, port, what: "metrics", setting: "UNDERSTUDY_METRICS_PORT" });
  return {
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
