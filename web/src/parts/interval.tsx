import { percent } from "../format";

const width = 120;
/** Square-rooted, so that 0.1 % and 1 % can be told apart as well as 20 % and 60 %. */
const x = (rate: number) => 5 + Math.sqrt(rate) * (width - 10);

/** A rate and its 95 % interval on a scale from 0 to 100 %, with ticks at 1, 10 and 50 %. */
export function Interval({ rate, interval }: { rate: number | null; interval: readonly [number, number] }) {
  if (rate === null) return null;
  const said = `${percent(rate)}; 95 % interval ${percent(interval[0])} to ${percent(interval[1])}`;
  return (
    <svg className="interval" viewBox={`0 0 ${width} 14`} role="img" aria-label={said}>
      <title>{said}</title>
      <line className="interval-scale" x1={x(0)} x2={x(1)} y1="7" y2="7" />
      {[0, 0.01, 0.1, 0.5, 1].map((tick) => (
        <line key={tick} className="interval-scale" x1={x(tick)} x2={x(tick)} y1="4" y2="10" />
      ))}
      <line className="interval-whisker" x1={x(interval[0])} x2={x(interval[1])} y1="7" y2="7" />
      <circle className="interval-dot" cx={x(rate)} cy="7" r="2.5" />
    </svg>
  );
}
