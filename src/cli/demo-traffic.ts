import { Command } from "commander";
import { loadConfig } from "../config.js";
import { createLogger } from "../log.js";
import { serve } from "../process/service.js";
import { port } from "./options.js";

/** Started by `understudy up --demo`; not listed in the help. */
export function demoTrafficCommand(): Command {
  return new Command("demo-traffic")
    .requiredOption("--gateway <url>", "where to send requests")
    .requiredOption("--rate <n>", "requests per second", Number)
    .requiredOption("--webhook-port <port>", "where to receive webhooks", port)
    .action(async (options: { gateway: string; rate: number; webhookPort: number }) => {
      const { startDemoTraffic } = await import("../up/demo-traffic.js");
      const config = loadConfig();
      const log = createLogger(config, "demo-traffic");
      const traffic = await startDemoTraffic({
        gatewayUrl: options.gateway,
        ratePerSecond: options.rate,
        webhookPort: options.webhookPort,
        log,
      });
      await serve(traffic, log);
    });
}
