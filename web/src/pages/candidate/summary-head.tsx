import { Link } from "react-router";
import type { Summary } from "../../../../src/control/api.js";
import { count, none, percent } from "../../format";
import { Figure, Figures } from "../../parts/figures";
import { Interval } from "../../parts/interval";
import { Badge } from "../../parts/words";
import { useFilters } from "./filters";
import { LatencyTable } from "./latency-table";

/** What a run came to, in a few numbers. */
export function SummaryHead({ summary }: { summary: Summary }) {
  const { linkTo } = useFilters();
  const { samples, mismatches, ignored, incomparable, diffRate, diffRateInterval, verdict } = summary;
  return (
    <div className="card summary">
      <Figures>
        <Figure
          name="diff rate"
          note={
            diffRate !== null && (
              <>
                <Interval rate={diffRate} interval={diffRateInterval} />
                <span>
                  95 %: {percent(diffRateInterval[0])} to {percent(diffRateInterval[1])}
                </span>
              </>
            )
          }
        >
          {percent(diffRate)}
          {summary.ledgerCheck && (
            <>
              {" "}
              <Badge word={summary.ledgerCheck.balanced ? "balanced" : "unbalanced"} />
            </>
          )}
        </Figure>
        <Figure name="mismatches" note={`of ${count(samples)} samples`}>
          {count(mismatches)}
        </Figure>
        <Figure
          name="decisions changed"
          note={summary.decisionFlipRate === null ? "no decision declared" : null}
        >
          {percent(summary.decisionFlipRate)}
        </Figure>
        <Figure
          name="candidate errors"
          note={`${count(incomparable)} incomparable, ${count(ignored)} ignored`}
        >
          {summary.errorRate ? (
            <Link to={linkTo({ result: "incomparable" })} title="Show what could not be compared">
              {percent(summary.errorRate)}
            </Link>
          ) : (
            percent(summary.errorRate)
          )}
        </Figure>
        <Figure name="verdict" note={verdict ? "of the newest gate" : "no gate yet"}>
          {verdict ? <Badge word={verdict} /> : none}
        </Figure>
      </Figures>
      <LatencyTable latency={summary.latency} />
    </div>
  );
}
