import type { ReactNode } from "react";
import type { OutputDetail } from "../../../../src/control/api.js";
import { count, float, none, percent } from "../../format";

/** What was measured of one output. */
export function Numbers({ output }: { output: OutputDetail }) {
  const { mismatches, elements, nonFinitePrimary, nonFiniteCandidate, statistic, maxUlps } = output;
  return (
    <dl className="numbers">
      <div>
        <dt>mismatches</dt>
        <dd>
          <strong>{count(mismatches)}</strong> of {count(elements)}
          {mismatches > 0 && mismatches < elements && (
            <span className="quiet"> ({share(mismatches / elements)})</span>
          )}
        </dd>
      </div>
      {statistic && (
        <Measure name={`${statistic.name} of errors`}>
          {float(statistic.abs)} <span className="quiet">abs</span>, {float(statistic.rel)}{" "}
          <span className="quiet">rel</span>
        </Measure>
      )}
      {maxUlps !== null && (
        <Measure name="max ULPs">{typeof maxUlps === "number" ? count(maxUlps) : maxUlps}</Measure>
      )}
      <Measure name="max abs error">{float(output.maxAbs)}</Measure>
      <Measure name="max rel error">{float(output.maxRel)}</Measure>
      <Measure name="mean abs error">{float(output.meanAbs)}</Measure>
      <Measure name="RMSE">{float(output.rmse)}</Measure>
      <Measure name="cosine">{cosine(output.cosine)}</Measure>
      {nonFinitePrimary + nonFiniteCandidate > 0 && (
        <Measure name="NaN or Infinity">
          {count(nonFinitePrimary)} <span className="quiet">primary</span>, {count(nonFiniteCandidate)}{" "}
          <span className="quiet">candidate</span>
        </Measure>
      )}
    </dl>
  );
}

function Measure({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Two significant digits, so that one element of a million is not shown as none. */
function share(fraction: number): string {
  return fraction >= 0.01 ? percent(fraction, 1) : `${float(+(fraction * 100).toPrecision(2))}\u00a0%`;
}

/** How far below 1 is what counts: 0.99999 must not read as 1. */
function cosine(value: OutputDetail["cosine"]): string {
  if (value === null) return none;
  return typeof value === "string" ? value : String(+value.toPrecision(7));
}
