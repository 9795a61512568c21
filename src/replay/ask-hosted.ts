import { setTimeout as sleep } from "node:timers/promises";
import { survivedNot } from "../model-server/infer-error.js";
import type { Observation } from "../upstream/observation.js";

/** An input that ends the process of the model so often is not given to it again. */
export const crashesMax = 2;

/** How long a process that was ended by an input may take to come back: it loads the model again. */
const awayMsMax = 60_000;
const lookMs = 100;

/**
 * Asks a model that we serve ourselves, whose process may die of an input: then it is given to the next process once
 * more, since the fault may have been another's. Requests that meet a process on its way back wait for it.
 *
 * @param ready whether the model takes requests now
 * @returns null: the process died of this input each time
 */
export async function askHosted(
  send: () => Promise<Observation>,
  ready: () => Promise<boolean>,
  stop: AbortSignal,
): Promise<Observation | null> {
  const untilMs = performance.now() + awayMsMax;
  for (let crashes = 0; ; ) {
    const observation = await send();
    if (observation.ok) return observation;
    const died = survivedNot(observation.message);
    if (died) crashes += 1;
    if (crashes === crashesMax) return null;
    const waits = died || observation.failure === "throttled";
    if (!waits || performance.now() > untilMs) return observation;
    do await sleep(lookMs, undefined, { signal: stop });
    while (!(await ready()) && performance.now() < untilMs);
  }
}
