import type { Summary } from "../../../../src/control/api.js";
import { ms, percent } from "../../format";

const quantiles = ["p50", "p90", "p95", "p99"] as const;

/** Latency of both sides, and of the control's where there is one. */
export function LatencyTable({ latency }: { latency: Summary["latency"] }) {
  const { primary, candidate, control } = latency;
  const twin = control ?? primary;
  return (
    <figure className="latency">
      <table>
        <thead>
          <tr>
            <th>latency</th>
            {quantiles.map((quantile) => (
              <th key={quantile} className="number">
                {quantile}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Row name="primary" values={primary} />
          {control && <Row name="control" values={control} />}
          <Row name="candidate" values={candidate} />
          <tr className="quiet">
            <th scope="row">difference</th>
            {quantiles.map((quantile) => (
              <td key={quantile} className="number">
                {difference(candidate[quantile], twin[quantile])}
              </td>
            ))}
          </tr>
        </tbody>
      </table>
      <figcaption className="quiet">
        {control
          ? "The difference is to the control, which is replayed to beside the candidate."
          : "The primary is timed under live traffic, the candidate in replay: a control replica would be the fair twin."}
      </figcaption>
    </figure>
  );
}

function Row({ name, values }: { name: string; values: Summary["latency"]["primary"] }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      {quantiles.map((quantile) => (
        <td key={quantile} className="number">
          {ms(values[quantile])}
        </td>
      ))}
    </tr>
  );
}

function difference(value: number | null, reference: number | null): string {
  if (value === null || reference === null || reference === 0) return "";
  const share = value / reference - 1;
  return `${share < 0 ? "−" : "+"}${percent(Math.abs(share), 0)}`;
}
