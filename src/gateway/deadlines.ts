import type { GatewaySettings } from "../config.js";

/** How long the capture side may take, once no request is under way, to spool and ship what it has. */
export const captureCloseMs = 3_000;

/** Within this time after a signal a serving process has ended, or is ended. Seldom do both parts take their whole time. */
export function closeMs({ drainMs }: GatewaySettings): number {
  return drainMs + captureCloseMs - 500;
}
