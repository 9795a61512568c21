import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Product, startProduct } from "../support/product.js";
import { requirePython, runPython } from "./python.js";

const python = requirePython("prometheus_client");

let product: Product;
beforeAll(async () => {
  // Metrics of several processes behind one port are put together by us.
  const env = { UNDERSTUDY_LOG_LEVEL: "info", UNDERSTUDY_GATEWAY_WORKERS: "2", UNDERSTUDY_METRICS_PORT: "0" };
  if (python) product = await startProduct(["--demo"], { env });
});
afterAll(() => product?.remove());

interface Read {
  families: Record<string, { type: string; samples: number; sum: number }>;
  faults: string[];
}

test.runIf(python)(
  "Prometheus' client reads the metrics of every process, and finds nothing wrong",
  async () => {
    const said = product.stderr();
    const ports = [...said.matchAll(/"metrics":"(http[^"]+)"/g)].map(([, url]) => url!);
    const servers = [...said.matchAll(/"process":"model-server","url":"(http[^"]+)"/g)];
    const urls = [
      ...new Set([`${product.control}/metrics`, ...ports, ...servers.map(([, url]) => `${url}/metrics`)]),
    ];
    const read: Read[] = JSON.parse(await runPython([join(import.meta.dirname, "metrics.py"), ...urls]));
    expect(read.map(({ faults }) => faults)).toEqual(urls.map(() => []));
    const families = read.map((one) => new Set(Object.keys(one.families)));
    const serving = (name: string) => families.filter((names) => names.has(name)).length;
    // The demo's model server has the primary and two candidates, or one process for each.
    expect({
      control: serving("understudy_alerts_firing"),
      gateway: serving("understudy_gateway_requests"),
      worker: serving("understudy_jobs"),
    }).toEqual({ control: 1, gateway: 1, worker: 1 });
    expect(urls.length).toBeGreaterThanOrEqual(4);
    const gateway = read.find((one) => "understudy_gateway_requests" in one.families)!;
    expect(gateway.families.understudy_gateway_requests!.sum).toBeGreaterThan(0);
    expect(gateway.families.understudy_gateway_request_duration_seconds!.type).toBe("histogram");
  },
  60_000,
);
