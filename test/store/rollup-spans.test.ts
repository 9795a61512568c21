import fc from "fast-check";
import { expect, test } from "vitest";
import { spansOf, wholeRun } from "../../src/store/rollup-spans.js";

const kept = { minuteMs: 0, hourMs: 0 };
const at = (text: string) => Date.parse(`2026-11-${text}Z`);
const word = (ms: number) =>
  Number.isFinite(ms) ? new Date(ms).toISOString().slice(8, 16) : String(ms).slice(0, 4);
const wordsOf = (from: string | null, to: string | null, horizons = kept) =>
  spansOf({ fromMs: from === null ? null : at(from), toMs: to === null ? null : at(to) }, horizons).spans.map(
    ({ level, fromMs, toMs }) => `${level} ${word(fromMs)} ${word(toMs)}`,
  );

test.each([
  ["03T10:20:30", "03T10:20:31", ["minute 03T10:20 03T10:21"]],
  ["03T10:20", "03T10:40", ["minute 03T10:20 03T10:40"]],
  ["03T10:20", "03T11:10", ["minute 03T10:20 03T11:00", "minute 03T11:00 03T11:10"]],
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
      "minute 03T22:30 03T23:00",
      "hour 03T23:00 04T00:00",
      "day 04T00:00 06T00:00",
      "hour 06T00:00 06T01:00",
      "minute 06T01:00 06T01:10",
    ],
  ],
  ["03T22:30", null, ["minute 03T22:30 03T23:00", "hour 03T23:00 04T00:00", "day 04T00:00 Infi"]],
  [null, "03T01:30", ["day -Inf 03T00:00", "hour 03T00:00 03T01:00", "minute 03T01:00 03T01:30"]],
  [null, null, ["run -Inf Infi"]],
])("%s to %s: %j", (from, to, words) => {
  expect(wordsOf(from, to)).toEqual(words);
});

test.each([
  ["in days", "02T10:20", "02T10:40", ["day 02T00:00 03T00:00"]],
  ["in hours", "05T10:20", "05T10:40", ["hour 05T10:00 05T11:00"]],
  ["from days to minutes", "02T10:20", "09T00:40", ["day 02T00:00 09T00:00", "minute 09T00:00 09T00:40"]],
  ["with nothing widened", "08T10:20", "08T10:40", ["minute 08T10:20 08T10:40"]],
])("where finer levels are gone, a range is widened: %s", (_what, from, to, words) => {
  expect(wordsOf(from, to, { hourMs: at("04T00:00"), minuteMs: at("08T00:00") })).toEqual(words);
});

test("every minute of the widened range lies in exactly one span, and there are never more rows than needed", () => {
  const minute = fc.integer({ min: 0, max: 5 * 24 * 60 });
  fc.assert(
    fc.property(minute, minute, (a, b) => {
      const [from, to] = a < b ? [a, b] : [b, a + 1];
      const origin = at("01T00:00");
      const { spans } = spansOf({ fromMs: origin + from * 60_000, toMs: origin + to * 60_000 }, kept);
      let atMs = origin + from * 60_000;
      for (const span of spans) {
        expect(span.fromMs).toBe(atMs);
        const stepMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000, run: 1 }[span.level];
        expect(span.fromMs % stepMs).toBe(0);
        expect((span.toMs - span.fromMs) % stepMs).toBe(0);
        atMs = span.toMs;
      }
      expect(atMs).toBe(origin + to * 60_000);
    }),
  );
});

test("a whole run is one row", () => {
  expect(spansOf({ fromMs: null, toMs: null }, kept)).toEqual(wholeRun);
});
