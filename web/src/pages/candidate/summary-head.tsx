import type { Summary } from "../../../../src/control/api.js";
import { count, none, percent } from "../../format";
import { Figure, Figures } from "../../parts/figures";
import { Interval } from "../../parts/interval";
import { SendRequest } from "../../parts/send-request";
import { Badge } from "../../parts/words";
import { LatencyTable } from "./latency-table";

/** What a run came to, in a few numbers. */
export function SummaryHead({ summary, deployment }: { summary: Summary; deployment: string }) {
  const { samples, mismatches, ignored, incomparable, diffRate, diffRateInterval, verdict } = summary;
  if (samples + ignored + incomparable === 0) {
    return <SendRequest deployment={deployment} title="Nothing compared yet." />;
  }
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
          {percent(summary.errorRate)}
        </Figure>
        <Figure name="verdict" note={verdict ? "of the newest gate" : "no gate yet"}>
          {verdict ? <Badge word={verdict} /> : none}
        </Figure>
      </Figures>
      <LatencyTable latency={summary.latency} />
    </div>
  );
}
