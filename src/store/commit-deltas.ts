import { minuteOf } from "../ids.js";
import { float8s, texts, times } from "./binary-columns.js";
import { Prisma } from "./generated/client.js";
import { column, time } from "./sql.js";
import type { OutcomeRow } from "./types.js";

/** What one commit counts of one series, in one minute of capture and of one version of the primary. */
interface Delta {
  capturedMinuteMs: number;
  primaryVersion: string;
  series: string;
  isSketch: boolean;
  /** By label, or by bucket. */
  counts: Map<string | number, number>;
  max: number | null;
}

/** The part of a commit that adds its facts to the rollups. */
export function insertDeltas(rows: readonly OutcomeRow[], judgedAtMs: number): Prisma.Sql {
  const deltas = deltasOf(rows);
  return Prisma.sql`
      INSERT INTO rollup_deltas (run_id, captured_minute, judged_minute, primary_version, series, labels, buckets,
                                 counts, max_value)
      SELECT f.run_id, d.captured_minute, ${time(minuteOf(judgedAtMs))}::timestamptz, d.primary_version, d.series,
             d.labels::text[], d.buckets::int[], d.counts::bigint[], d.max_value
      FROM fence f, (
        SELECT unnest(${times(deltas, (d) => d.capturedMinuteMs)}::timestamptz[]) AS captured_minute,
               unnest(${texts(deltas, (d) => d.primaryVersion)}::text[]) AS primary_version,
               unnest(${texts(deltas, (d) => d.series)}::text[]) AS series,
               unnest(${texts(deltas, (d) => (d.isSketch ? null : literal(d.counts.keys())))}::text[]) AS labels,
               unnest(${texts(deltas, (d) => (d.isSketch ? literal(d.counts.keys()) : null))}::text[]) AS buckets,
               unnest(${texts(deltas, (d) => literal(d.counts.values()))}::text[]) AS counts,
               unnest(${float8s(deltas, (d) => d.max)}::float8[]) AS max_value
      ) AS d`;
}

function deltasOf(rows: readonly OutcomeRow[]): Delta[] {
  const deltas: Delta[] = [];
  /** By minute and version, then by series: nearly all rows of a commit have the same of the former. */
  const places = new Map<string, Map<string, Delta>>();
  for (const { capturedAtMs, primaryVersion, facts } of rows) {
    const capturedMinuteMs = minuteOf(capturedAtMs);
    const place = `${capturedMinuteMs} ${primaryVersion}`;
    const ofPlace = places.get(place) ?? new Map<string, Delta>();
    places.set(place, ofPlace);
    for (const fact of facts) {
      const { series, value } = fact;
      let delta = ofPlace.get(series);
      if (delta === undefined) {
        delta = {
          capturedMinuteMs,
          primaryVersion,
          series,
          isSketch: "bucket" in fact,
          counts: new Map(),
          max: null,
        };
        ofPlace.set(series, delta);
        deltas.push(delta);
      }
      const key = "bucket" in fact ? fact.bucket : fact.label;
      delta.counts.set(key, (delta.counts.get(key) ?? 0) + 1);
      if (value !== undefined) delta.max = larger(delta.max, value);
    }
  }
  return deltas;
}

function literal(items: Iterable<string | number>): string {
  return column([...items], (item) => item);
}

/** As Postgres has it: NaN is the largest of all. */
function larger(max: number | null, value: number): number {
  return max === null || value > max || Number.isNaN(value) ? value : max;
}
