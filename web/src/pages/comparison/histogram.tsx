import type { OutputDetail } from "../../../../src/control/api.js";
import { count, visible } from "../../format";

type Decades = NonNullable<OutputDetail["histogram"]>["decades"];

/** Where counting by decades ends: what is smaller, or larger, is in the last one. */
const [lowest, highest] = [-20, 19];
const [left, right, top, bottom] = [8, 298, 16, 84];
/** Bars with room for their count above them. */
const countedMax = 10;
/** Width of a power of ten as text. */
const markWidth = 34;

/** How many elements are off by how much: one bar for those that are equal, and one from each power of ten to the next. */
export function Histogram({
  histogram: { equal, decades },
  name,
}: {
  histogram: NonNullable<OutputDetail["histogram"]>;
  name: string;
}) {
  const scale = scaleOf(decades);
  const bars = [{ meaning: "equal", pairs: equal }, ...scale];
  const most = Math.max(...bars.map(({ pairs }) => pairs));
  // Half a bar's room between what is equal and the scale.
  const step = (right - left) / (bars.length + 0.5);
  const scaleLeft = left + 1.5 * step;
  const every = Math.ceil(markWidth / step);
  const marks = [...scale.map(({ decade }) => decade), scale.at(-1)!.decade + 1];
  const told = bars.filter(({ pairs }) => pairs > 0);
  return (
    <figure className="histogram">
      <figcaption className="quiet">Elements by the size of their error</figcaption>
      <svg
        viewBox="0 0 320 100"
        role="img"
        aria-label={`Errors of ${visible(name)}. ${told.map((bar) => title(bar)).join("; ")}`}
      >
        {bars.map((bar, i) => (
          <Column
            key={bar.meaning}
            bar={bar}
            x={i === 0 ? left : scaleLeft + (i - 1) * step}
            step={step}
            // A single element among millions is still to be seen.
            height={bar.pairs === 0 ? 0 : Math.max(1.5, (bar.pairs / most) * (bottom - top))}
            isCounted={bars.length <= countedMax}
          />
        ))}
        <text x={left + step / 2} y="96">
          equal
        </text>
        {marks.map((decade, i) =>
          i % every === 0 ? (
            <text key={decade} x={scaleLeft + i * step} y="96">
              1e{decade}
            </text>
          ) : null,
        )}
        <line className="axis" x1={left} x2={left + step} y1={bottom} y2={bottom} />
        <line className="axis" x1={scaleLeft} x2={right} y1={bottom} y2={bottom} />
      </svg>
    </figure>
  );
}

interface Bar {
  meaning: string;
  pairs: number;
}

function Column({
  bar,
  x,
  step,
  height,
  isCounted,
}: {
  bar: Bar;
  x: number;
  step: number;
  height: number;
  isCounted: boolean;
}) {
  const className = bar.meaning === "equal" ? "column equal" : "column";
  return (
    <g>
      <title>{title(bar)}</title>
      <rect className={className} x={x + 1} width={step - 2} y={bottom - height} height={height} />
      {bar.pairs > 0 && isCounted && (
        <text x={x + step / 2} y={bottom - height - 3}>
          {count(bar.pairs)}
        </text>
      )}
    </g>
  );
}

/** Every decade from the smallest to the largest that has any, those between with none too. */
function scaleOf(decades: Decades): (Bar & { decade: number })[] {
  const [first, last] = [decades[0]!.decade, decades.at(-1)!.decade];
  const pairsIn = new Map(decades.map(({ decade, pairs }) => [decade, pairs]));
  return Array.from({ length: last - first + 1 }, (_, i) => first + i).map((decade) => ({
    decade,
    meaning: meaningOf(decade),
    pairs: pairsIn.get(decade) ?? 0,
  }));
}

function meaningOf(decade: number): string {
  if (decade === lowest) return `below 1e${lowest + 1}`;
  return decade === highest ? `1e${highest} or more` : `1e${decade} to 1e${decade + 1}`;
}

function title({ meaning, pairs }: Bar): string {
  return `${meaning}: ${count(pairs)}`;
}
