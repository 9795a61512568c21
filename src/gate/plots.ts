import { escaped } from "../markup.js";
import { type Float, floatText, momentText, msText, percentText } from "./numbers.js";
import type { GateReport } from "./report.js";

/** Plots as inline SVG, without script: the numbers of each point are in its title. */

const size = { width: 640, height: 220, left: 64, right: 12, top: 14, bottom: 34 };
const inner = { width: size.width - size.left - size.right, height: size.height - size.top - size.bottom };

interface Axis {
  at: (value: number) => number;
  ticks: { value: number; text: string }[];
}

const fixed = (value: number) => value.toFixed(1);

function frame(label: string, x: Axis, y: Axis, content: string): string {
  const grid = y.ticks
    .map(({ value, text }) => {
      const at = fixed(y.at(value));
      return `<line class="grid" x1="${size.left}" x2="${size.width - size.right}" y1="${at}" y2="${at}"/><text x="${size.left - 6}" y="${at}" dy=".32em" text-anchor="end">${escaped(text)}</text>`;
    })
    .join("");
  const below = x.ticks
    .map(
      ({ value, text }) =>
        `<text x="${fixed(x.at(value))}" y="${size.height - 12}" text-anchor="middle">${escaped(text)}</text>`,
    )
    .join("");
  return `<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escaped(label)}"><title>${escaped(label)}</title>${grid}${below}${content}</svg>`;
}

const down = (max: number) => (value: number) =>
  size.top + inner.height * (1 - Math.min(1, Math.max(0, value / max)));

/** The diff rate over the time of capture, with its limit. null: nothing was compared. */
export function diffRatePlot(report: GateReport): string | null {
  const points = report.timeline.filter(({ samples }) => samples > 0);
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return null;
  const limit = report.criteriaGiven.maxDiffRate;
  const rates = points.map(({ samples, mismatches }) => mismatches / samples);
  const max = Math.min(1, Math.max(...rates, limit ?? 0, 0.001) * 1.15);
  const spanMs = Math.max(1, last.at - first.at);
  const x = (at: number) => size.left + ((at - first.at) / spanMs) * inner.width;
  const y = down(max);
  const line = points.map(({ at }, i) => `${fixed(x(at))},${fixed(y(rates[i]!))}`).join(" ");
  const dots = points
    .map(
      ({ at, samples, mismatches }, i) =>
        `<circle class="candidate" cx="${fixed(x(at))}" cy="${fixed(y(rates[i]!))}" r="3"><title>${momentText(at)}: ${mismatches} of ${samples}, ${percentText(rates[i]!)}</title></circle>`,
    )
    .join("");
  const limitLine =
    limit === undefined
      ? ""
      : `<line class="limit" x1="${size.left}" x2="${size.width - size.right}" y1="${fixed(y(limit))}" y2="${fixed(y(limit))}"/><text class="limit" x="${size.width - size.right}" y="${fixed(y(limit) - 4)}" text-anchor="end">limit ${percentText(limit)}</text>`;
  return frame(
    "Diff rate over the time of capture, with its limit",
    {
      at: x,
      ticks: [first.at, first.at + spanMs / 2, last.at].map((value) => ({
        value:
          value === first.at ? first.at + spanMs * 0.04 : value === last.at ? last.at - spanMs * 0.04 : value,
        text: momentText(value).slice(11, 19),
      })),
    },
    { at: y, ticks: [0, max / 2, max].map((value) => ({ value, text: percentText(value) })) },
    `<polyline class="candidate" points="${line}"/>${dots}${limitLine}`,
  );
}

/** Latency by quantile, of the candidate and of what it is held against. null: there are no pairs. */
export function latencyPlot({ latency }: GateReport): string | null {
  if (latency === null) return null;
  const { reference, quantiles } = latency;
  const finite = (value: Float | null) => value !== null && Number.isFinite(Number(value));
  const shown = quantiles.filter((entry) => finite(entry.candidate) && finite(entry.reference));
  if (shown.length === 0) return null;
  const max = Math.max(...shown.flatMap((entry) => [Number(entry.candidate), Number(entry.reference)])) * 1.1;
  // By the number of nines, so that the tail, which limits are about, has room.
  const x = (q: number) => size.left + (-Math.log10(1 - q) / 3) * inner.width;
  const y = down(max);
  const curve = (side: "candidate" | "reference") =>
    `<polyline class="${side}" points="${shown.map((entry) => `${fixed(x(entry.q))},${fixed(y(Number(entry[side])))}`).join(" ")}"/>`;
  const dots = shown
    .map(
      (entry) =>
        `<circle class="candidate" cx="${fixed(x(entry.q))}" cy="${fixed(y(Number(entry.candidate)))}" r="3"><title>p${floatText(entry.q * 100)}: ${msText(entry.candidate)}, ${reference} ${msText(entry.reference)}</title></circle>`,
    )
    .join("");
  return frame(
    `Latency by quantile: candidate and ${reference}`,
    { at: x, ticks: [0.5, 0.9, 0.99, 0.999].map((value) => ({ value, text: `p${floatText(value * 100)}` })) },
    { at: y, ticks: [0, max / 2, max].map((value) => ({ value, text: msText(value) })) },
    curve("reference") + curve("candidate") + dots,
  );
}

/** How large the largest error of each comparison was, by decade. null: not measured. */
export function errorPlot(output: GateReport["outputs"][number]): string | null {
  const { decades } = output;
  if (decades.length === 0) return null;
  const known = decades.flatMap(({ decade }) => (decade === null ? [] : [decade]));
  const equal = decades.find(({ decade }) => decade === null)?.comparisons ?? 0;
  const low = known.length === 0 ? 0 : Math.min(...known);
  const bars = [
    { text: "0", comparisons: equal },
    ...(known.length === 0
      ? []
      : Array.from({ length: Math.max(...known) - low + 1 }, (_, i) => ({
          text: `1e${low + i}`,
          comparisons: decades.find(({ decade }) => decade === low + i)?.comparisons ?? 0,
        }))),
  ];
  const max = Math.max(...bars.map(({ comparisons }) => comparisons));
  const width = inner.width / bars.length;
  const y = down(max);
  const rects = bars
    .map(({ text, comparisons }, i) => {
      const height = size.top + inner.height - y(comparisons);
      return `<rect class="bar" x="${fixed(size.left + i * width + 1)}" y="${fixed(y(comparisons))}" width="${fixed(Math.max(1, width - 2))}" height="${fixed(height)}"><title>${escaped(text)}: ${comparisons}</title></rect>`;
    })
    .join("");
  const every = Math.ceil(bars.length / 14);
  const ticks = bars.flatMap(({ text }, value) => (value % every === 0 ? [{ value, text }] : []));
  return frame(
    `Largest absolute error of ${output.name}, comparisons by decade`,
    { at: (i) => size.left + (i + 0.5) * width, ticks },
    { at: y, ticks: [0, max].map((value) => ({ value, text: value.toLocaleString("en-US") })) },
    rects,
  );
}
