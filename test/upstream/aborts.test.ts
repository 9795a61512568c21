import { expect, it, vi } from "vitest";
import { createAborts } from "../../src/upstream/aborts.js";

it("one listener of a signal tells all that still want to be told", () => {
  const aborts = createAborts();
  const { signal, abort } = (() => {
    const controller = new AbortController();
    return { signal: controller.signal, abort: () => controller.abort() };
  })();
  const listened = vi.spyOn(signal, "addEventListener");
  const told: string[] = [];
  const acts = ["a", "b", "c"].map((name) => () => told.push(name));
  for (const act of acts) aborts.on(signal, act);
  aborts.off(signal, acts[1]!);
  expect(listened).toHaveBeenCalledTimes(1);
  abort();
  expect(told).toEqual(["a", "c"]);
});
