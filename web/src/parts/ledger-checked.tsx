import type { LedgerCheck } from "../../../src/control/api.js";
import { Moment } from "./words";

/** When a worker last checked the account, and what it found off; nothing before the first check. */
export function LedgerChecked({ check }: { check: LedgerCheck | null }) {
  if (check === null) return null;
  return (
    <span className={check.balanced ? "quiet" : "bad"}>
      {" "}
      checked <Moment at={check.at} relative />
      {!check.balanced && `: ${check.imbalances.map(({ text }) => text).join("; ")}`}
    </span>
  );
}
