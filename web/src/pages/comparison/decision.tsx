import type { OutputDetail } from "../../../../src/control/api.js";
import { count } from "../../format";
import { Name } from "../../parts/words";

/** What an output decides on each side; of several rows, what turned into what. */
export function Decision({ decision }: { decision: NonNullable<OutputDetail["decision"]> }) {
  const { from, to, flip, changes } = decision;
  if (!flip) {
    return (
      <span className="quiet">
        decision stays <Name>{from}</Name>
      </span>
    );
  }
  const flips = changes.reduce((sum, change) => sum + change.count, 0);
  if (flips <= 1) {
    return (
      <span className="decision">
        decision <Name>{from}</Name> → <Name>{to}</Name> <span className="badge bad">changed</span>
      </span>
    );
  }
  return (
    <span className="decision">
      {count(flips)} decisions <span className="badge bad">changed</span>{" "}
      {changes.map((change) => (
        <span key={`${change.from} ${change.to}`} className="listed">
          <Name>{change.from}</Name> → <Name>{change.to}</Name>
          {change.count > 1 && <span className="quiet"> ×{count(change.count)}</span>}
        </span>
      ))}
    </span>
  );
}
