import type { ApiClient } from "../api-client.js";
import type { Gate } from "../control/api.js";
import { countText } from "../gate/numbers.js";
import { progressBar } from "./progress-bar.js";
import { watch } from "./watch.js";

/**
 * Waits until a gate has ended, which one of the live run has from the start; SIGINT cancels it.
 * @throws UnderstudyError when the control plane stays away
 */
export async function watchGate(api: ApiClient, opened: Gate): Promise<Gate> {
  if (opened.state !== "running") return opened;
  const path = `/gates/${opened.id}`;
  return watch(
    {
      get: () => api.get<Gate>(path),
      cancel: () => api.post<Gate>(`${path}/cancel`, {}),
      hasEnded: ({ state }) => state !== "running",
      isIdle: ({ selection }) => selection?.read === 0,
      line: gateProgressLine,
    },
    opened,
  );
}

/** How much of the selection was read: the verdict may come at any time. */
function gateProgressLine({ id, state, selection }: Gate, columns: number): string {
  const { members = 0, read = 0 } = selection ?? {};
  const words = `gate ${id} ${state}  read ${countText(read)} of ${countText(members)}`;
  return progressBar(words, members === 0 ? 1 : read / members, columns);
}
