import { Counter, createMetrics, Gauge, type Registry } from "../metrics.js";
import type { ServedModel } from "./served-model.js";

/** Prometheus metrics of the models served; labels are bounded, since only configured models appear. */
export function createModelMetrics(models: ReadonlyMap<string, ServedModel>): Registry {
  const registry = createMetrics();
  new Gauge({
    name: "understudy_model_server_model_ready",
    help: "Whether the model's inference process is running.",
    labelNames: ["model"],
    registers: [registry],
    collect() {
      for (const model of models.values()) this.set({ model: model.name }, model.isReady() ? 1 : 0);
    },
  });
  new Counter({
    name: "understudy_model_server_inferences_total",
    help: "Inferences by outcome; failed: the model refused the input, or its process died of it.",
    labelNames: ["model", "outcome"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, stats } of models.values()) {
        const { succeeded, failed } = stats.counts();
        this.inc({ model: name, outcome: "succeeded" }, succeeded);
        this.inc({ model: name, outcome: "failed" }, failed);
      }
    },
  });
  return registry;
}
