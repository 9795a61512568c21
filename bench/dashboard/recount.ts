import { isDeepStrictEqual } from "node:util";
import { summaryOf } from "../../src/control/summary.js";
import type { ComparisonQuery } from "../../src/store/comparisons.js";
import type { World } from "./world.js";

const columns = { capturedAt: "captured_at", maxAbs: "max_abs", candidateMs: "candidate_ms" } as const;

/** A page of a table found by looking at every row of the small database. @throws Error when it is another */
export async function checkPage(world: World, name: string, query: ComparisonQuery): Promise<void> {
  const { result, sample, output, kind, signature, tag, fromMs, toMs, sort, descending, limit, after } =
    query;
  const own = (where: string) =>
    `EXISTS (SELECT FROM output_diffs d WHERE d.day = o.day AND d.run_id = o.run_id AND d.capture_id = o.capture_id AND ${where})`;
  const column = columns[sort];
  const values: unknown[] = [];
  const value = (given: unknown) => `$${values.push(given)}`;
  const where = [
    `run_id = ${value(query.runId)}`,
    `${column} IS NOT NULL`,
    ...(result !== null && output === null ? [`result = ${value(result)}`] : []),
    ...(sample === null ? [] : [`sample = ${value(sample)}`]),
    ...(signature === null ? [] : [`signature = ${value(signature)}`]),
    ...(tag === null
      ? []
      : [
          `EXISTS (SELECT FROM captures k WHERE k.id = o.capture_id AND k.tags ->> ${value(tag.name)} = ${value(tag.value)})`,
        ]),
    ...(output === null
      ? []
      : [
          own(
            [
              `output = ${value(output)}`,
              ...(kind === null ? [] : [`d.kind = ${value(kind)}`]),
              ...(result === null ? [] : [`d.result = ${value(result)}`]),
            ].join(" AND "),
          ),
        ]),
    ...(output === null && kind !== null
      ? [`(o.kind = ${value(kind)} OR ${own(`d.kind = $${values.length}`)})`]
      : []),
    ...(fromMs === null ? [] : [`captured_at >= ${value(new Date(fromMs))}`]),
    ...(toMs === null ? [] : [`captured_at < ${value(new Date(toMs))}`]),
    ...(after === null
      ? []
      : [
          `(${column}, capture_id) ${descending ? "<" : ">"} (${value(sort === "capturedAt" ? new Date(after.value) : after.value)}, ${value(after.captureId)})`,
        ]),
  ];
  const order = descending ? "DESC" : "ASC";
  const expected = await world.query<{ id: string }>(
    `SELECT capture_id AS id FROM outcomes o WHERE ${where.join(" AND ")}
     ORDER BY ${column} ${order}, capture_id ${order} LIMIT ${limit}`,
    values,
  );
  const found = await world.store.comparisons.list(query);
  const ids = (rows: { id: string }[]) => rows.map(({ id }) => id);
  if (
    !isDeepStrictEqual(
      found.map(({ captureId }) => captureId),
      ids(expected),
    )
  ) {
    throw new Error(`${name}: ${found.length} rows are not the ${expected.length} of a recount`);
  }
}

const quantiles = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99 } as const;

/**
 * Holds the whole run's summary and its ledger against its rows.
 *
 * @returns the largest relative error of a quantile
 * @throws Error when a count differs
 */
export async function checkSummary(world: World): Promise<number> {
  const { store, runId, deploymentId, query } = world;
  const base = "FROM outcomes WHERE sample = 'base' AND disposition = 'compared'";
  const summary = summaryOf(runId, await store.rollups.summary(runId, { fromMs: null, toMs: null }));
  const [counted] = await query<Record<string, number>>(
    `SELECT count(*) FILTER (WHERE result IN ('match', 'mismatch'))::float8 AS samples,
       count(*) FILTER (WHERE result = 'mismatch')::float8 AS mismatches,
       count(*) FILTER (WHERE result = 'ignored')::float8 AS ignored, max(max_abs) AS "maxAbs" ${base}`,
  );
  const { samples, mismatches, ignored, outputs } = summary;
  const logits = outputs.find(({ name }) => name === "logits");
  const said = { samples, mismatches, ignored, maxAbs: logits?.maxAbs };
  if (!isDeepStrictEqual(said, { ...counted })) {
    throw new Error(`the summary says ${JSON.stringify(said)}, its rows ${JSON.stringify(counted)}`);
  }
  const ledger = await store.ledger.read(deploymentId, { fromMs: null, toMs: null });
  if (!ledger.balanced || ledger.captured !== world.comparisons) {
    throw new Error(`the ledger does not balance: ${JSON.stringify(ledger)}`);
  }
  const { primary, candidate } = summary.latency;
  const errors = { p50: logits?.p50Abs ?? null, p99: logits?.p99Abs ?? null };
  let worst = 0;
  for (const [column, estimates] of [
    ["primary_ms", primary],
    ["candidate_ms", candidate],
    ["max_abs", errors],
  ] as const) {
    const asked = Object.entries(estimates) as [keyof typeof quantiles, number | null][];
    // The value of rank ⌊q·(n − 1)⌋, as the sketch has it: of few rows, the next one may be percents away.
    const places = asked.map(([name]) => `(floor(${quantiles[name]} * (n - 1)) + 0.5) / n`);
    const [row] = await query<{ exact: number[] }>(
      `SELECT percentile_disc(ARRAY(SELECT unnest(ARRAY[${places}]::float8[]) FROM (SELECT count(*)::float8 AS n ${base}) AS c))
         WITHIN GROUP (ORDER BY ${column}) AS exact ${base}`,
    );
    for (const [i, [, estimate]] of asked.entries()) {
      const exact = row!.exact[i]!;
      worst = Math.max(worst, Math.abs((estimate ?? Number.POSITIVE_INFINITY) - exact) / exact);
    }
  }
  return worst;
}
