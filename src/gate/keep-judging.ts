import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import type { Store } from "../store/store.js";
import { stepSelectionGate } from "./selection-gate.js";

const everyMs = 500;
/** A step that takes longer may be taken by another as well; one whose process died is, after this. */
const turnMs = 15_000;
/** A gate over a live run waits for nothing, and no query may take longer than 30 s. */
const abandonedMs = 600_000;

/**
 * Takes the gates over selections on, step by step, until it is stopped. Every worker does; each gate is in one's hands
 * at a time. Gates over live runs are judged by whoever was asked; here they only end when that one died.
 */
export function keepJudging(deps: {
  store: Pick<Store, "registry" | "gates" | "selections" | "replays">;
  log: Logger;
}): { stop(): Promise<void> } {
  const { store, log } = deps;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let failing = false;

  async function stepAll(): Promise<void> {
    try {
      await store.gates.endAbandoned(abandonedMs);
      for (let id = await next(); id !== null && !stopped; id = await next()) {
        await stepSelectionGate({ store }, id);
        await store.gates.endTurn(id, everyMs);
      }
      failing = false;
    } catch (error) {
      // Once: it is tried twice a second.
      if (!failing) log.warn({ error: messageOf(error) }, "gates not taken on");
      failing = true;
    }
    if (!stopped) timer = setTimeout(begin, everyMs);
  }

  const next = () => store.gates.takeTurn(turnMs);
  let running = Promise.resolve();
  function begin(): void {
    running = stepAll();
  }
  begin();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
