import type { Replay } from "../../../../src/control/api.js";

export function paceText(pace: Replay["pace"]): string {
  if (pace === "original") return "as recorded";
  return pace === "max" ? "as fast as allowed" : `${pace} times as fast`;
}
