import { z } from "zod";
import { keptAnswers } from "../../answers/keeper.js";
import { UnderstudyError } from "../../errors.js";
import { parseComparisonId } from "../../ids.js";
import type { ComparisonFull, ComparisonRow, ComparisonSort } from "../../store/comparisons.js";
import type { Observation } from "../../upstream/observation.js";
import {
  type ComparisonsQuery,
  comparisonDetail,
  comparisonPage,
  comparisonSorts,
  comparisonsQuery,
  comparisonTensors,
} from "../api.js";
import { comparisonDetailView, comparisonItemView } from "../comparison-views.js";
import type { ControlContext } from "../context.js";
import { decodeCursor, encodeCursor } from "../cursor.js";
import { type Route, route } from "../route.js";
import { chosenRun } from "../runs.js";
import { comparisonTensorsOf, readCapture } from "../tensors.js";

export function comparisonRoutes({ store, blobs }: Pick<ControlContext, "store" | "blobs">): Route[] {
  return [
    route({
      method: "get",
      path: "/deployments/{deployment}/candidates/{candidate}/comparisons",
      summary: "A run's comparisons, filtered and sorted; default: the newest live run, newest first",
      query: comparisonsQuery,
      response: comparisonPage,
      problems: [404],
      handle: async ({ params, query }) => {
        const candidate = await store.registry.getCandidate(params.deployment, params.candidate);
        return comparisonsPage(store, await chosenRun(store, candidate, query.run), query);
      },
    }),
    route({
      method: "get",
      path: "/comparisons/{comparison}",
      summary: "One comparison: outputs, worst elements, timing, tags",
      response: comparisonDetail,
      problems: [404],
      handle: async ({ params }) => comparisonDetailView(await found(store, params.comparison)),
    }),
    route({
      method: "get",
      path: "/comparisons/{comparison}/tensors",
      summary: "The tensors of its request and of both answers, the first 4,096 elements of each",
      response: comparisonTensors,
      problems: [404],
      handle: async ({ params }) => {
        const full = await found(store, params.comparison);
        if (full.capture === null) {
          const erased = full.disposition === "erased";
          throw new UnderstudyError(
            "blob_missing",
            erased ? "This request was erased" : "What was captured of this request is no longer kept",
          );
        }
        const capture = await readCapture(blobs, full.capture.location, full.captureId);
        return comparisonTensorsOf(capture, await answerOf(blobs, full));
      },
    }),
  ];
}

/** The candidate's answer, if it was kept and still is. */
async function answerOf(
  blobs: ControlContext["blobs"],
  { answers, captureId }: ComparisonFull,
): Promise<Observation | null> {
  if (answers === null) return null;
  try {
    return (await keptAnswers(blobs, answers)).get(captureId) ?? null;
  } catch (error) {
    if (error instanceof UnderstudyError && error.code === "blob_missing") return null;
    throw error;
  }
}

const limitDefault = 50;

async function comparisonsPage(
  { comparisons }: Pick<ControlContext["store"], "comparisons">,
  runId: number,
  query: ComparisonsQuery,
) {
  const sort = query.sort ?? "-capturedAt";
  const column = sort.replace("-", "") as ComparisonSort;
  const limit = query.limit ?? limitDefault;
  const rows = await comparisons.list({
    runId,
    result: query.result ?? null,
    sample: query.sample ?? null,
    output: query.output ?? null,
    kind: query.kind ?? null,
    signature: query.signature ?? null,
    tag: query.tag ?? null,
    fromMs: query.from ?? null,
    toMs: query.to ?? null,
    sort: column,
    descending: sort.startsWith("-"),
    // One more tells whether there is another page.
    limit: limit + 1,
    after: query.cursor === undefined ? null : positionOf(query.cursor, sort),
  });
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map(comparisonItemView),
    nextCursor:
      last && rows.length > limit
        ? encodeCursor([sort, String(sortValue(last, column)), last.captureId])
        : null,
  };
}

const position = z.tuple([
  z.enum(comparisonSorts),
  z.string().regex(/^(NaN|-?Infinity|-?\d+(\.\d+)?(e[+-]\d+)?)$/),
  z.uuid(),
]);

function positionOf(cursor: string, sort: (typeof comparisonSorts)[number]) {
  const schema = position.refine(([of, value]) => of === sort && (!/capturedAt/.test(of) || isMoment(value)));
  const [, value, captureId] = decodeCursor(cursor, schema);
  return { value: Number(value), captureId };
}

const isMoment = (value: string) => /^\d{1,15}$/.test(value);

function sortValue(row: ComparisonRow, column: ComparisonSort): number {
  const value = { capturedAt: row.capturedAtMs, maxAbs: row.maxAbs, candidateMs: row.candidateMs }[column];
  if (value === null) throw new Error(`unreachable: sorted by ${column}, which is null`);
  return value;
}

async function found(
  { comparisons }: Pick<ControlContext["store"], "comparisons">,
  text: string,
): Promise<ComparisonFull> {
  const id = parseComparisonId(text);
  const full = id && (await comparisons.get(id));
  if (full) return full;
  throw new UnderstudyError("not_found", "There is no such comparison", {
    hint: "Take its id from a list of comparisons.",
  });
}
