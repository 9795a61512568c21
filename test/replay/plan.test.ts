import fc from "fast-check";
import { expect, it } from "vitest";
import { planReplay, type SegmentCaptures } from "../../src/replay/plan.js";
import { sharesOf } from "../../src/replay/shares.js";

const segment = (id: number): fc.Arbitrary<SegmentCaptures> =>
  fc
    .record({
      rows: fc.uniqueArray(fc.nat(2_000), { minLength: 1, maxLength: 600 }),
      skewMs: fc.integer({ min: -5_000, max: 5_000 }),
      times: fc.array(fc.nat(60_000), { minLength: 600, maxLength: 600 }),
    })
    .map(({ rows, skewMs, times }) => ({
      segmentId: `s${id}`,
      skewMs,
      rows: rows.sort((a, b) => a - b),
      atMs: rows.map((_, i) => 1e12 + times[i]!),
    }));

const segments = fc
  .integer({ min: 0, max: 5 })
  .chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => segment(i))));
const speeds = fc.option(fc.double({ min: 0.1, max: 100, noNaN: true }), { nil: null });

it("puts every capture into exactly one work, at its place on one time line", () => {
  fc.assert(
    fc.property(segments, speeds, (given, speed) => {
      const plan = planReplay(given, speed);
      const planned = plan.works.flatMap(({ segmentId, rows }) => rows.map((row) => `${segmentId}/${row}`));
      const wanted = given.flatMap(({ segmentId, rows }) => rows.map((row) => `${segmentId}/${row}`));
      expect(planned.sort()).toEqual(wanted.sort());
      expect(plan.captures).toBe(wanted.length);
      const dueMs = new Map(
        given.flatMap(({ segmentId, rows, atMs, skewMs }) =>
          rows.map((row, i) => [`${segmentId}/${row}`, atMs[i]! - skewMs - plan.originMs] as const),
        ),
      );
      for (const { segmentId, rows, dueMs: first } of plan.works) {
        expect(rows.length).toBeGreaterThan(0);
        expect(rows).toEqual([...rows].sort((a, b) => a - b));
        const due = rows.map((row) => dueMs.get(`${segmentId}/${row}`)!);
        for (const ms of due) expect(ms).toBeGreaterThanOrEqual(0);
        if (speed === null) {
          expect(first).toBeNull();
          expect(rows.length).toBeLessThanOrEqual(256);
          continue;
        }
        expect(first).toBe(Math.min(...due));
        // What one lost worker can take with it: two seconds of what is sent.
        expect((Math.max(...due) - first!) / speed).toBeLessThan(2_000 + 1e-6);
      }
      if (speed !== null) {
        const order = plan.works.map((work) => work.dueMs!);
        expect(order).toEqual([...order].sort((a, b) => a - b));
      }
    }),
    { numRuns: 100 },
  );
});

it("parts a segment that is replayed unpaced, so that a worker which stops hands back little", () => {
  const rows = Array.from({ length: 1_024 }, (_, row) => row);
  const { works } = planReplay([{ segmentId: "s", skewMs: 0, rows, atMs: rows }], null);
  expect(works.map((work) => work.rows.length)).toEqual([256, 256, 256, 256]);
  expect(works.flatMap((work) => work.rows)).toEqual(rows);
});

it("never shares out more requests than the cap allows", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_024 }), (concurrency) => {
      const { works, requests } = sharesOf(concurrency);
      expect(requests).toBeGreaterThanOrEqual(1);
      expect(works * requests).toBeLessThanOrEqual(concurrency);
      expect(works * requests).toBeGreaterThan(concurrency * 0.8);
    }),
  );
});
