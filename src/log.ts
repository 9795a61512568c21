import { type Logger, pino } from "pino";
import type { Config } from "./config.js";

export type { Logger };

/** A logger that writes JSON lines to stderr; stdout belongs to results. */
export function createLogger(config: Pick<Config, "logLevel">, process: string): Logger {
  return pino(
    {
      level: config.logLevel,
      base: { process },
      redact: {
        paths: ["headers.authorization", "headers.cookie", "*.headers.authorization"],
        censor: "[redacted]",
      },
    },
    pino.destination({ dest: 2, sync: false }),
  );
}
