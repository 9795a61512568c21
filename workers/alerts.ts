import { evaluateRules } from "../src/alerts/evaluate.js";
import type { Logger } from "../src/log.js";
import type { Queues } from "../src/queue/backend.js";
import { evaluateJob, handles, type JobHandler } from "../src/queue/jobs.js";
import type { Store } from "../src/store/store.js";

/** `alerts`: evaluate the rules. */
export function alertHandlers(deps: { store: Store; queues: Queues; log: Logger }): JobHandler[] {
  return [handles(evaluateJob, () => evaluateRules(deps))];
}
