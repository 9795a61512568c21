import { countAbove, quantiles } from "../stats/sketch.js";
import { wilson } from "../stats/wilson.js";
import type { SeriesCounts } from "../store/types.js";
import type { Summary } from "./api.js";
import { noiseFloor, noiseOf } from "./noise.js";

type Series = ReadonlyMap<string, SeriesCounts>;

const kindPrefix = "kind:";
/** Of a series of which nothing was counted. */
export const noCounts: SeriesCounts = { counts: new Map(), sketch: new Map(), max: null };

/** How many changes of decision of one output are told: all that ten classes can have. */
const confusionMax = 90;

/** A run's summary, from the counts of its facts (see `compare/facts.ts`). Rates without a denominator are null. */
export function summaryOf(run: number, series: Series): Summary {
  const count = countIn(series);
  const matches = count("results", "match");
  const mismatches = count("results", "mismatch");
  const ignored = count("results", "ignored");
  const incomparable = count("results", "incomparable");
  const errors = count("results", "candidate_error");
  const samples = matches + mismatches;
  const flips = count("decisions", "flip");
  const noise = noiseOf(series);
  return {
    run,
    samples,
    mismatches,
    ignored,
    incomparable,
    diffRate: share(mismatches, samples),
    diffRateInterval: wilson(mismatches, samples),
    decisionFlipRate: share(flips, flips + count("decisions", "same")),
    errorRate: share(errors, samples + ignored + incomparable + errors),
    verdict: null,
    ledgerCheck: null,
    noise,
    outputs: outputsOf(series, noise),
    latency: {
      primary: latencyOf(series.get("latency/primary")),
      candidate: latencyOf(series.get("latency/candidate")),
      ...(series.has("latency/control") ? { control: latencyOf(series.get("latency/control")) } : {}),
    },
  };
}

function outputsOf(series: Series, noise: Summary["noise"]): Summary["outputs"] {
  const prefix = "output/";
  const names = [...series.keys()]
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length));
  const count = countIn(series);
  return names.sort().map((name) => {
    const [matches, mismatches, ignored] = ["match", "mismatch", "ignored"].map((word) =>
      count(prefix + name, word),
    ) as [number, number, number];
    const errors = series.get(`abs/${name}`) ?? noCounts;
    const [p50Abs, p99Abs] = quantiles(errors.sketch, errors.max, [0.5, 0.99]);
    const floor = noiseFloor(noise, name);
    return {
      name,
      compared: matches + mismatches + ignored,
      mismatches,
      maxAbs: errors.max,
      p50Abs,
      p99Abs,
      maxRel: series.get(`rel/${name}`)?.max ?? null,
      aboveNoise: floor === null ? null : countAbove(errors.sketch, floor),
      kinds: Object.fromEntries(
        [...(series.get(prefix + name)?.counts ?? [])]
          .filter(([label]) => label.startsWith(kindPrefix))
          .map(([label, n]) => [label.slice(kindPrefix.length), n]),
      ),
      confusion: confusionOf(series.get(`confusion/${name}`)),
    };
  });
}

/** Changes of decision, `from→to`, the most frequent first. */
function confusionOf(counts: SeriesCounts | undefined): Summary["outputs"][number]["confusion"] {
  return [...(counts?.counts ?? [])]
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .slice(0, confusionMax)
    .map(([label, n]) => {
      const arrow = label.indexOf("→");
      return { from: label.slice(0, arrow), to: label.slice(arrow + 1), count: n };
    });
}

export function latencyOf({ sketch, max }: SeriesCounts = noCounts): Summary["latency"]["primary"] {
  const [p50, p90, p95, p99] = quantiles(sketch, max, [0.5, 0.9, 0.95, 0.99]);
  return { p50, p90, p95, p99 };
}

const countIn = (series: Series) => (name: string, label: string) => series.get(name)?.counts.get(label) ?? 0;

const share = (part: number, whole: number) => (whole === 0 ? null : part / whole);
