import type { ApiClient } from "../api-client.js";
import type { Replay } from "../control/api.js";
import { progressLine } from "./replay-text.js";
import { watch } from "./watch.js";

const ended: ReadonlySet<Replay["state"]> = new Set(["done", "failed", "cancelled"]);

/**
 * Waits until a replay has ended; SIGINT cancels it.
 * @throws UnderstudyError when the control plane stays away
 */
export function watchReplay(api: ApiClient, opened: Replay): Promise<Replay> {
  const path = `/replays/${opened.id}`;
  return watch(
    {
      get: () => api.get<Replay>(path),
      cancel: () => api.post<Replay>(`${path}/cancel`, {}),
      hasEnded: ({ state }) => ended.has(state),
      isIdle: ({ state }) => state === "planned",
      line: progressLine,
    },
    opened,
  );
}
