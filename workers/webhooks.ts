import { deliverAlert } from "../src/alerts/deliver.js";
import type { Webhooks } from "../src/alerts/webhook.js";
import type { Logger } from "../src/log.js";
import { deliverJob, handles, type JobHandler } from "../src/queue/jobs.js";
import type { Store } from "../src/store/store.js";

/** `webhooks`: deliver one message. */
export function webhookHandlers(deps: { store: Store; webhooks: Webhooks; log: Logger }): JobHandler[] {
  return [
    handles(deliverJob, ({ deliveryId }, { attempt }) =>
      deliverAlert(deps, { deliveryId, attempt, attemptsMax: deliverJob.attempts }),
    ),
  ];
}
