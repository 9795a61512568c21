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
  /** Of a counter. */
  labels: Map<string, number>;
  /** Of a sketch. */
  buckets: Map<number, number>;
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
               unnest(${texts(deltas, ({ labels }) => arrayOf(labels.keys()))}::text[]) AS labels,
               unnest(${texts(deltas, ({ buckets }) => arrayOf(buckets.keys()))}::text[]) AS buckets,
               unnest(${texts(deltas, (d) => arrayOf([...d.labels.values(), ...d.buckets.values()]))}::text[]) AS counts,
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
          labels: new Map(),
          buckets: new Map(),
          max: null,
        };
        ofPlace.set(series, delta);
        deltas.push(delta);
      }
      if ("bucket" in fact) countOne(delta.buckets, fact.bucket);
      else countOne(delta.labels, fact.label);
      if (value !== undefined) delta.max = larger(delta.max, value);
    }
  }
  return deltas;
}

function countOne<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** As text; null: of nothing. */
function arrayOf(items: Iterable<string | number>): string | null {
  const list = [...items];
  return list.length === 0 ? null : column(list, (item) => item);
}

/** As Postgres has it: NaN is the largest of all. */
function larger(max: number | null, value: number): number {
  return max === null || value > max || Number.isNaN(value) ? value : max;
}
