import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import { Gauge, type Registry } from "../metrics.js";
import type { Gauges } from "../store/gauges.js";

/**
 * Adds what only the database knows; it is read at every scrape. While the database does not answer these are left
 * out, and the rest is served.
 */
export function addStoreMetrics(registry: Registry, gauges: Gauges, log: Logger): void {
  const add = (
    name: string,
    help: string,
    labelNames: "state"[],
    set: (gauge: Gauge<"state">) => Promise<void>,
  ) =>
    registry.registerMetric(
      new Gauge({
        name,
        help,
        labelNames,
        registers: [],
        async collect() {
          this.reset();
          await set(this).catch((error) => {
            // Without labels a reset gauge is 0, which is not known either.
            if (labelNames.length === 0) this.remove();
            log.warn({ metric: name, error: messageOf(error) }, "metric not read");
          });
        },
      }),
    );
  add("understudy_work", "Works that are not done, by state", ["state"], async (gauge) => {
    for (const [state, n] of Object.entries(await gauges.openWork())) gauge.set({ state }, n);
  });
  const held = "Works that wait in Postgres: the queue holds as many as it may, or is away";
  add("understudy_work_held_back", held, [], async (gauge) => {
    gauge.set(await gauges.heldBackWork());
  });
  add("understudy_alerts_firing", "Alerts that fire now", [], async (gauge) => {
    gauge.set(await gauges.firingAlerts());
  });
  const unbalanced = "Deployments in whose ledger the newest check found an imbalance";
  add("understudy_ledgers_unbalanced", unbalanced, [], async (gauge) => {
    gauge.set(await gauges.unbalancedLedgers());
  });
  add("understudy_webhooks_pending", "Messages neither delivered nor given up", [], async (gauge) => {
    gauge.set(await gauges.pendingDeliveries());
  });
}
