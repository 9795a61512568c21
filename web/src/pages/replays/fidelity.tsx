import type { Replay } from "../../../../src/control/api.js";
import { count, duration, ms } from "../../format";
import { Figure, Figures } from "../../parts/figures";
import { Name } from "../../parts/words";

/** How late the requests of a paced replay were sent, and what that means for its latencies. */
export function Fidelity({ replay: { lag, line, state } }: { replay: Replay }) {
  if (lag === null || line === null) {
    return <p className="quiet">It keeps no pace, so no request can be late.</p>;
  }
  const { skew, skewMs, lengthMs, interruptions } = line;
  return (
    <section className="card">
      <h2>Fidelity</h2>
      {lag.sent > 0 && !lag.latencyCounts && (
        <p className="notice bad">
          Latencies of this replay say nothing:{" "}
          {lag.neverSent > 0 ? "requests were never sent" : "requests were sent too late"}.
        </p>
      )}
      <Figures>
        <Figure name="lag, median">{ms(lag.p50)}</Figure>
        <Figure name="lag, p99" note={`at most ${ms(lag.max)}`}>
          {ms(lag.p99)}
        </Figure>
        <Figure name="late" note="by more than 10 ms">
          {count(lag.late)} of {count(lag.sent)}
        </Figure>
        <Figure name="never sent" note="overdue by more than 1 s">
          {count(lag.neverSent)}
        </Figure>
        <Figure name="drift" note={state === "done" ? "from first tenth to last" : "known at the end"}>
          {ms(lag.driftMs)}
        </Figure>
        <Figure name="recorded" note={interruptions > 0 ? `${interruptions} interruptions` : undefined}>
          {duration(lengthMs)}
        </Figure>
        <Figure name="clock skew" note="between gateways; taken out">
          {ms(skewMs)}
        </Figure>
      </Figures>
      {skew.length > 0 && (
        <p className="quiet">
          Ahead of the database's clock:{" "}
          {skew.map(({ gateway, offsetMs }, i) => (
            <span key={gateway}>
              {i > 0 && ", "}
              <Name>{gateway}</Name> by {ms(offsetMs)}
            </span>
          ))}
        </p>
      )}
    </section>
  );
}
