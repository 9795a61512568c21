import { messageOf, UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";
import type { Store } from "../store/store.js";
import { excerpt } from "../upstream/excerpt.js";
import type { Webhooks } from "./webhook.js";

/**
 * Sends one message, unless it is delivered or given up already. What came of it is recorded. A refused address is
 * final; any other failure is thrown, to be tried again, except at the last attempt: then the message is dead.
 *
 * @param delivery.attempt 1 for the first
 */
export async function deliverAlert(
  deps: { store: Pick<Store, "alerts">; webhooks: Webhooks; log: Logger; now?: () => number },
  delivery: { deliveryId: string; attempt: number; attemptsMax: number },
): Promise<void> {
  const { store, webhooks, log, now = Date.now } = deps;
  const { deliveryId, attempt, attemptsMax } = delivery;
  const message = await store.alerts.pendingDelivery(deliveryId);
  if (message === null) return;
  try {
    await webhooks.post(message);
  } catch (error) {
    const refused = refusalIn(error);
    const text = excerpt(messageOf(refused ?? error));
    const dead = refused !== null || attempt >= attemptsMax;
    await store.alerts.recordAttempt(deliveryId, { state: dead ? "dead" : "pending", error: text });
    log.warn({ delivery: deliveryId, attempt, dead, error: text }, "webhook not delivered");
    if (dead) return;
    throw error;
  }
  await store.alerts.recordAttempt(deliveryId, { state: "delivered", atMs: now() });
}

/** The guard's refusal, which the HTTP client may have wrapped. */
function refusalIn(error: unknown): UnderstudyError | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof UnderstudyError && at.code === "address_refused") return at;
  }
  return null;
}
