import { z } from "zod";
import { parseNoiseName } from "../compare/noise.js";
import type { OutputNoise } from "../compare/noise-summary.js";
import { quantiles, sizeOf } from "../stats/sketch.js";
import type { SeriesCounts } from "../store/types.js";
import { type Datatype, datatypes } from "../tensor/tensor.js";
import type { Summary } from "./api.js";

type Noise = NonNullable<Summary["noise"]>;

const prefix = "noise/";

/** What two answers of the same model differ by, from the counts of `compare/noise.ts`; null: not measured. */
export function noiseOf(series: ReadonlyMap<string, SeriesCounts>): Noise | null {
  const counts = series.get("noise")?.counts;
  if (counts === undefined) return null;
  const count = (label: string) => counts.get(label) ?? 0;
  return {
    samples: count("match") + count("mismatch"),
    mismatches: count("mismatch"),
    errors: count("error"),
    outputs: namesIn(series).map((name) => outputNoise(name, series)),
  };
}

/** `NAME@[shape]` of all outputs, in order. */
function namesIn(series: ReadonlyMap<string, SeriesCounts>): string[] {
  return [...series.keys()]
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length))
    .sort();
}

/** The same in full, as tolerances are made from. */
export function noiseSketches(
  series: ReadonlyMap<string, SeriesCounts>,
  datatypeOf: ReadonlyMap<string, Datatype>,
): OutputNoise[] {
  return namesIn(series).map((text) => {
    const { name, shape } = parseNoiseName(text);
    const { sketch, max } = series.get(prefix + text)!;
    return {
      output: name,
      datatype: datatypeOf.get(name) ?? null,
      shape,
      abs: sketch,
      maxAbs: max,
      maxRel: series.get(`noise-rel/${text}`)?.max ?? null,
    };
  });
}

const described = z.object({
  outputs: z.array(z.object({ name: z.string(), datatype: z.enum(datatypes).nullable().catch(null) })),
});

/** Of a model's outputs, as its endpoint describes them; empty where it does not. */
export function datatypesOf(metadata: unknown): Map<string, Datatype> {
  const { data } = described.safeParse(metadata);
  return new Map(
    (data?.outputs ?? []).flatMap(({ name, datatype }) => (datatype === null ? [] : [[name, datatype]])),
  );
}

function outputNoise(text: string, series: ReadonlyMap<string, SeriesCounts>): Noise["outputs"][number] {
  const { sketch, max } = series.get(prefix + text)!;
  const [p99Abs] = quantiles(sketch, max, [0.99]);
  return {
    ...parseNoiseName(text),
    samples: sizeOf(sketch),
    p99Abs,
    maxAbs: max,
    maxRel: series.get(`noise-rel/${text}`)?.max ?? null,
  };
}

/** The largest difference that the same model made in an output, over all shapes; null: not measured. */
export function noiseFloor(noise: Noise | null, output: string): number | null {
  const floors = (noise?.outputs ?? []).flatMap(({ name, maxAbs }) =>
    name === output && typeof maxAbs === "number" ? [maxAbs] : [],
  );
  return floors.length === 0 ? null : Math.max(...floors);
}
