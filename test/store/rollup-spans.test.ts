import fc from "fast-check";
import { expect, test } from "vitest";
import { levelsKeptAs, rollupLevels } from "../../src/store/rollup-levels.js";
import { allTime, type RollupSpan, spansOf } from "../../src/store/rollup-spans.js";

const kept = { minuteMs: 0, hourMs: 0 };
const at = (text: string) => Date.parse(`2026-11-${text}Z`);
const nowMs = at("13T09:20");
const word = (ms: number) =>
  Number.isFinite(ms) ? new Date(ms).toISOString().slice(8, 16) : String(ms).slice(0, 4);
const wordsOf = (from: string | null, to: string | null, horizons = kept) =>
  spansOf(
    { fromMs: from === null ? null : at(from), toMs: to === null ? null : at(to) },
    horizons,
    nowMs,
  ).spans.map(
    ({ level, fromMs, toMs, counts, max }) =>
      `${["less ", "max of ", ""][counts + 1]}${level} ${word(fromMs)} ${word(toMs)}${counts === 1 && !max ? " in all" : ""}`,
  );

test.each([
  ["03T10:20:30", "03T10:20:31", ["minute 03T10:20 03T10:21"]],
  ["03T10:20", "03T10:40", ["five_minutes 03T10:20 03T10:40"]],
  [
    "03T10:27",
    "03T11:12",
    [
      "minute 03T10:27 03T10:30",
      "quarter_hour 03T10:30 03T11:00",
      "five_minutes 03T11:00 03T11:10",
      "minute 03T11:10 03T11:12",
    ],
  ],
  ["03T10:00", "03T12:00", ["hour 03T10:00 03T12:00"]],
  [
    "03T10:59",
    "03T12:01",
    ["minute 03T10:59 03T11:00", "hour 03T11:00 03T12:00", "minute 03T12:00 03T12:01"],
  ],
  ["03T00:00", "05T00:00", ["day 03T00:00 05T00:00"]],
  [
    "03T22:30",
    "06T01:10",
    [
      "quarter_hour 03T22:30 03T23:00",
      "hour 03T23:00 04T00:00",
      "day 04T00:00 06T00:00",
      "hour 06T00:00 06T01:00",
      "five_minutes 06T01:00 06T01:10",
    ],
  ],
  [
    "03T10:22",
    "03T10:29",
    [
      "less minute 03T10:20 03T10:22",
      "less five_minutes 03T10:15 03T10:20",
      "quarter_hour 03T10:15 03T10:30 in all",
      "less minute 03T10:29 03T10:30",
      "max of minute 03T10:22 03T10:29",
    ],
  ],
  [
    "03T10:21",
    "03T10:25",
    [
      "less minute 03T10:20 03T10:21",
      "five_minutes 03T10:20 03T10:25 in all",
      "max of minute 03T10:21 03T10:25",
    ],
  ],
  [
    "03T02:13",
    null,
    [
      "minute 03T02:13 03T02:15",
      "less quarter_hour 03T02:00 03T02:15",
      "hour 03T02:00 03T04:00 in all",
      "less four_hours 03T00:00 03T04:00",
      "day 03T00:00 05T00:00 in all",
      "week 05T00:00 Infi",
      "max of quarter_hour 03T02:15 03T03:00",
      "max of hour 03T03:00 03T04:00",
      "max of four_hours 03T04:00 04T00:00",
      "max of day 04T00:00 05T00:00",
    ],
  ],
  [
    "03T22:30",
    null,
    [
      "quarter_hour 03T22:30 03T23:00",
      "hour 03T23:00 04T00:00",
      "day 04T00:00 05T00:00",
      "week 05T00:00 Infi",
    ],
  ],
  [
    null,
    "03T01:30",
    [
      "week -Inf 05T00:00 in all",
      "less day 03T00:00 05T00:00",
      "hour 03T00:00 03T01:00",
      "quarter_hour 03T01:00 03T01:30",
      "max of week -Inf 29T00:00",
      "max of day 29T00:00 03T00:00",
    ],
  ],
  [
    null,
    "03T23:58",
    [
      "week -Inf 05T00:00 in all",
      "less day 04T00:00 05T00:00",
      "less minute 03T23:58 04T00:00",
      "max of week -Inf 29T00:00",
      "max of day 29T00:00 03T00:00",
      "max of four_hours 03T00:00 03T20:00",
      "max of hour 03T20:00 03T23:00",
      "max of quarter_hour 03T23:00 03T23:45",
      "max of five_minutes 03T23:45 03T23:55",
      "max of minute 03T23:55 03T23:58",
    ],
  ],
  [
    "13T08:10",
    null,
    [
      "five_minutes 13T08:10 13T08:15",
      "less quarter_hour 13T08:00 13T08:15",
      "four_hours 13T08:00 14T00:00 in all",
      "day 14T00:00 19T00:00",
      "week 19T00:00 Infi",
      "max of quarter_hour 13T08:15 13T09:00",
      "max of hour 13T09:00 13T12:00",
      "max of four_hours 13T12:00 14T00:00",
    ],
  ],
  [
    "09T08:10",
    null,
    [
      "five_minutes 09T08:10 09T08:15",
      "less quarter_hour 09T08:00 09T08:15",
      "less four_hours 09T00:00 09T08:00",
      "day 09T00:00 12T00:00 in all",
      "week 12T00:00 Infi",
      "max of quarter_hour 09T08:15 09T09:00",
      "max of hour 09T09:00 09T12:00",
      "max of four_hours 09T12:00 10T00:00",
      "max of day 10T00:00 12T00:00",
    ],
  ],
  [null, null, ["ever -Inf Infi"]],
])("%s to %s: %j", (from, to, words) => {
  expect(wordsOf(from, to)).toEqual(words);
});

test.each([
  ["in days", "02T10:20", "02T10:40", ["day 02T00:00 03T00:00"]],
  ["in hours", "05T10:20", "05T10:40", ["hour 05T10:00 05T11:00"]],
  [
    "from days to minutes",
    "02T10:20",
    "09T00:20",
    ["day 02T00:00 09T00:00", "quarter_hour 09T00:00 09T00:15", "five_minutes 09T00:15 09T00:20"],
  ],
  ["with nothing widened", "08T10:21", "08T10:24", ["minute 08T10:21 08T10:24"]],
])("where finer levels are gone, a range is widened: %s", (_what, from, to, words) => {
  expect(wordsOf(from, to, { hourMs: at("04T00:00"), minuteMs: at("08T00:00") })).toEqual(words);
});

const minutesOf = Object.fromEntries(rollupLevels.map(({ level, ms }) => [level, ms / 60_000]));

const weeks = 3;
// A Thursday, with which weeks begin.
const originMs = at("05T00:00");
const minute = fc.integer({ min: 0, max: weeks * 7 * 1440 - 1 });
const day = fc.integer({ min: 0, max: weeks * 7 });
const timeOf = (minutes: number) => originMs + minutes * 60_000;

/** How often each minute counts, and is in the maximum; and how many rows are read for either. */
function reading(spans: readonly RollupSpan[]) {
  const counted = new Int8Array(weeks * 7 * 1440);
  const inMax = new Int8Array(weeks * 7 * 1440);
  const rows = { counts: 0, max: 0 };
  for (const { level, fromMs, toMs, counts, max } of spans) {
    const first = Math.max(0, (fromMs - originMs) / 60_000);
    const end = Math.min(counted.length, (toMs - originMs) / 60_000);
    const length = minutesOf[level]!;
    expect([first % length, end % length]).toEqual([0, 0]);
    for (let i = first; i < end; i++) {
      counted[i]! += counts;
      if (max) inMax[i] = 1;
    }
    rows[counts === 0 ? "max" : "counts"] += (end - first) / length;
  }
  return { counted: [...counted], inMax: [...inMax], rows };
}

test("every minute of a range counts once, no other does, and few rows are read", () => {
  fc.assert(
    fc.property(minute, minute, minute, (a, b, now) => {
      const [from, to] = a < b ? [a, b] : [b, a + 1];
      const { spans } = spansOf({ fromMs: timeOf(from), toMs: timeOf(to) }, kept, timeOf(now));
      const { counted, inMax, rows } = reading(spans);
      const within = counted.map((_, i) => (i >= from && i < to ? 1 : 0));
      expect(counted).toEqual(within);
      expect(inMax).toEqual(within);
      if (to <= now) expect(rows.counts).toBeLessThanOrEqual(weeks + 2 * (2 + 1 + 2 + 2 + 3 + 3));
      if (to <= now) expect(rows.max).toBeLessThanOrEqual(2 * (4 + 2 + 3 + 3 + 5 + 6));
    }),
    { numRuns: 300 },
  );
});

test("nor does an open end, or what is not kept any more, change that; and no row is asked for that is gone", () => {
  const bound = fc.option(minute);
  fc.assert(
    fc.property(bound, bound, minute, day, day, (a, b, now, x, y) => {
      fc.pre(a === null || b === null || a < b);
      const horizons = { hourMs: timeOf(Math.min(x, y) * 1440), minuteMs: timeOf(Math.max(x, y) * 1440) };
      const range = { fromMs: a === null ? null : timeOf(a), toMs: b === null ? null : timeOf(b) };
      const { fromMs, toMs, spans } = spansOf(range, horizons, timeOf(now));
      expect(fromMs).toBeLessThanOrEqual(range.fromMs ?? Number.NEGATIVE_INFINITY);
      expect(toMs).toBeGreaterThanOrEqual(range.toMs ?? Number.POSITIVE_INFINITY);
      if (spans !== allTime.spans) {
        const { counted, inMax } = reading(spans);
        const within = counted.map((_, i) => (timeOf(i) >= fromMs && timeOf(i) < toMs ? 1 : 0));
        expect(counted).toEqual(within);
        expect(inMax).toEqual(within);
      }
      for (const { level, fromMs } of spans) {
        if (levelsKeptAs("minute").includes(level)) expect(fromMs).toBeGreaterThanOrEqual(horizons.minuteMs);
        if (levelsKeptAs("hour").includes(level)) expect(fromMs).toBeGreaterThanOrEqual(horizons.hourMs);
      }
    }),
    { numRuns: 300 },
  );
});

test("a whole run is one row", () => {
  expect(spansOf({ fromMs: null, toMs: null }, kept)).toEqual(allTime);
});
