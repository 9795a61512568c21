import type { Config } from "../config.js";
import type { GatewayConfig } from "../store/types.js";
import type { EndedEpoch, SharedMemory, SideStats } from "./side.js";

/** What the capture thread is started with. */
export interface ThreadData {
  /** All settings but the one that is a function, which cannot go to another thread. */
  config: Omit<Config, "secret">;
  memory: SharedMemory;
  epoch: string;
  openedAtMs: number;
  /** Name of the gateway, for people. */
  gateway: string;
  ended: EndedEpoch[];
}

/** What the capture thread says. */
export type FromThread =
  | { kind: "ready" }
  | { kind: "deployments"; config: GatewayConfig }
  | { kind: "stats"; stats: SideStats }
  | { kind: "closed" };

/** What it is told: to end within the deadline. The final cut lies in the ring by then. */
export interface ToThread {
  kind: "close";
  deadlineMs: number;
}
