import { request } from "undici";
import { createGuardedAgent } from "../upstream/guard.js";

/** Carries the message's id, the same at every attempt. */
export const deliveryIdHeader = "understudy-delivery";

/** For the whole exchange: connecting, sending, the answer's head. */
const timeoutMs = 10_000;

/** Sends messages to receivers. */
export interface Webhooks {
  /** @throws Error unless the receiver answers 2xx; UnderstudyError `address_refused` where it must not be asked. */
  post(message: { id: string; url: string; payload: unknown }): Promise<void>;
  close(): Promise<void>;
}

/** @param allow `host:port` pairs that may be reached although their address is loopback or private. */
export function createWebhooks(allow: readonly string[], options: { timeoutMs?: number } = {}): Webhooks {
  const dispatcher = createGuardedAgent({ internal: allow });
  return {
    async post({ id, url, payload }) {
      const { statusCode, body } = await request(url, {
        method: "POST",
        dispatcher,
        headers: {
          "content-type": "application/json",
          "user-agent": "understudy",
          [deliveryIdHeader]: id,
        },
        body: JSON.stringify(payload),
        signal: AbortSignal.timeout(options.timeoutMs ?? timeoutMs),
      });
      // What the receiver says beyond its status is nobody's business here; an endless answer is cut.
      await body.dump({ limit: 16_384 }).catch(() => {});
      if (statusCode >= 300 && statusCode < 400) {
        throw new Error(`the receiver answered ${statusCode}; redirects are not followed`);
      }
      if (statusCode < 200 || statusCode >= 300) throw new Error(`the receiver answered ${statusCode}`);
    },
    close: () => dispatcher.destroy(),
  };
}
