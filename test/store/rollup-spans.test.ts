import fc from "fast-check";
import { expect, test } from "vitest";
import { rollupLevels } from "../../src/store/rollup-levels.js";
import { allTime, spansOf } from "../../src/store/rollup-spans.js";

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
      "minute 03T02:13 03T02:15 in all",
      "less quarter_hour 03T02:00 03T02:15",
      "hour 03T02:00 03T04:00 in all",
      "less four_hours 03T00:00 03T04:00",
      "day 03T00:00 05T00:00 in all",
      "week 05T00:00 Infi in all",
      "max of minute 03T02:13 03T02:15",
      "max of quarter_hour 03T02:15 03T03:00",
      "max of hour 03T03:00 03T04:00",
      "max of four_hours 03T04:00 04T00:00",
      "max of day 04T00:00 05T00:00",
      "max of week 05T00:00 Infi",
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
      "hour 03T00:00 03T01:00 in all",
      "quarter_hour 03T01:00 03T01:30 in all",
      "max of week -Inf 29T00:00",
      "max of day 29T00:00 03T00:00",
      "max of hour 03T00:00 03T01:00",
      "max of quarter_hour 03T01:00 03T01:30",
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
      "five_minutes 13T08:10 13T08:15 in all",
      "less quarter_hour 13T08:00 13T08:15",
      "four_hours 13T08:00 14T00:00 in all",
      "day 14T00:00 19T00:00 in all",
      "week 19T00:00 Infi in all",
      "max of five_minutes 13T08:10 13T08:15",
      "max of quarter_hour 13T08:15 13T09:00",
      "max of hour 13T09:00 13T12:00",
      "max of four_hours 13T12:00 14T00:00",
      "max of day 14T00:00 19T00:00",
      "max of week 19T00:00 Infi",
    ],
  ],
  [
    "09T08:10",
    null,
    [
      "five_minutes 09T08:10 09T08:15 in all",
      "less quarter_hour 09T08:00 09T08:15",
      "less four_hours 09T00:00 09T08:00",
      "day 09T00:00 12T00:00 in all",
      "week 12T00:00 Infi in all",
      "max of five_minutes 09T08:10 09T08:15",
      "max of quarter_hour 09T08:15 09T09:00",
      "max of hour 09T09:00 09T12:00",
      "max of four_hours 09T12:00 10T00:00",
      "max of day 10T00:00 12T00:00",
      "max of week 12T00:00 Infi",
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

test("every minute of a range counts once, no other does, and few rows are read", () => {
  const weeks = 3;
  const minute = fc.integer({ min: 0, max: weeks * 7 * 1440 - 1 });
  fc.assert(
    fc.property(minute, minute, minute, (a, b, now) => {
      const [from, to] = a < b ? [a, b] : [b, a + 1];
      // A Thursday, with which weeks begin.
      const origin = at("05T00:00");
      const timeAt = (minute: number) => origin + minute * 60_000;
      const { spans } = spansOf({ fromMs: timeAt(from), toMs: timeAt(to) }, kept, timeAt(now));
      const counted = new Int8Array(weeks * 7 * 1440);
      const inMax = new Int8Array(weeks * 7 * 1440);
      let rows = 0;
      for (const { level, fromMs, toMs, counts, max } of spans) {
        const [first, end] = [(fromMs - origin) / 60_000, (toMs - origin) / 60_000];
        const length = minutesOf[level]!;
        expect([first % length, end % length]).toEqual([0, 0]);
        for (let i = first; i < end; i++) {
          counted[i]! += counts;
          if (max) inMax[i]! += 1;
        }
        if (counts !== 0) rows += (end - first) / length;
      }
      const within = Array.from(counted, (_, i) => (i >= from && i < to ? 1 : 0));
      expect([...counted]).toEqual(within);
      expect([...inMax]).toEqual(within);
      if (to <= now) expect(rows).toBeLessThanOrEqual(weeks + 2 * (3 + 3 + 2 + 2 + 1 + 2));
    }),
    { numRuns: 300 },
  );
});

test("a whole run is one row", () => {
  expect(spansOf({ fromMs: null, toMs: null }, kept)).toEqual(allTime);
});
