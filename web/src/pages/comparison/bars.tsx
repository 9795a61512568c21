import type { OutputDetail, TensorValues } from "../../../../src/control/api.js";
import { float, visible } from "../../format";

/** One element: the primary's value, and the candidate's where the comparison kept it. */
interface Bar {
  label: number;
  primary: number;
  candidate: number | null;
}

const barsMax = 32;

/** Bars of a single row of numbers, such as logits or probabilities of one request; null for anything else. */
export function barsOf({ shape, values }: TensorValues, output: OutputDetail | undefined): Bar[] | null {
  const row = values.length >= 2 && values.length <= barsMax && shape.at(-1) === values.length;
  if (!row || !values.every((value) => typeof value === "number")) return null;
  const kept = new Map(output?.worst.map(({ index, candidate }) => [index.at(-1), candidate]));
  return values.map((primary, label) => {
    const candidate = kept.get(label);
    return { label, primary: primary as number, candidate: typeof candidate === "number" ? candidate : null };
  });
}

const [left, right, top, bottom] = [4, 316, 12, 108];

/** A bar for each of the primary's values, and a mark for the candidate's. */
export function Bars({ bars, name }: { bars: readonly Bar[]; name: string }) {
  const all = bars.flatMap(({ primary, candidate }) =>
    candidate === null ? [primary] : [primary, candidate],
  );
  const low = Math.min(0, ...all);
  const span = Math.max(0, ...all) - low || 1;
  const y = (value: number) => bottom - ((value - low) / span) * (bottom - top);
  const step = (right - left) / bars.length;
  const marked = bars.some(({ candidate }) => candidate !== null);
  return (
    <>
      <svg
        className="bars"
        viewBox="0 0 320 124"
        role="img"
        aria-label={`${visible(name)}: ${bars.map(({ label, primary }) => `${label}: ${float(primary)}`).join(", ")}`}
      >
        {bars.map(({ label, primary, candidate }, i) => {
          const x = left + i * step;
          const change = candidate === null ? "" : `, candidate ${float(candidate)}`;
          return (
            <g key={label}>
              <title>{`[${label}] primary ${float(primary)}${change}`}</title>
              <rect
                className="bar"
                x={x + step * 0.15}
                width={step * 0.7}
                y={Math.min(y(0), y(primary))}
                height={Math.max(Math.abs(y(primary) - y(0)), 0.5)}
              />
              {candidate !== null && (
                <line
                  className="mark"
                  x1={x + step * 0.05}
                  x2={x + step * 0.95}
                  y1={y(candidate)}
                  y2={y(candidate)}
                />
              )}
              <text x={x + step / 2} y="121">
                {label}
              </text>
            </g>
          );
        })}
        <line className="axis" x1={left} x2={right} y1={y(0)} y2={y(0)} />
      </svg>
      {marked && (
        <p className="legend quiet" aria-hidden="true">
          <span className="swatch primary" /> primary <span className="swatch candidate" /> candidate, where
          it differs most
        </p>
      )}
    </>
  );
}
