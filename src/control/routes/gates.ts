import { z } from "zod";
import { UnderstudyError } from "../../errors.js";
import { runLiveGate } from "../../gate/run-gate.js";
import { gate, gateCreate, gatePage, gatesQuery } from "../api.js";
import type { ControlContext } from "../context.js";
import { decodeCursor, encodeCursor } from "../cursor.js";
import { gateItemView, gateView } from "../gate-views.js";
import { type Route, route } from "../route.js";

const limitDefault = 50;
const position = z.tuple([z.number().int().min(1).max(2_147_483_647)]);

/** Gates: decisions under stated limits, with their evidence. */
export function gateRoutes({ store }: Pick<ControlContext, "store">): Route[] {
  return [
    route({
      method: "get",
      path: "/gates",
      summary: "Gates without their reports, newest first",
      query: gatesQuery,
      response: gatePage,
      handle: async ({ query }) => {
        const limit = query.limit ?? limitDefault;
        const found = await store.gates.list({
          deployment: query.deployment ?? null,
          candidate: query.candidate ?? null,
          before: query.cursor === undefined ? null : decodeCursor(query.cursor, position)[0],
          limit: limit + 1,
        });
        const page = found.slice(0, limit);
        return {
          items: page.map(gateItemView),
          nextCursor: found.length > limit ? encodeCursor([page.at(-1)!.id]) : null,
        };
      },
    }),
    route({
      method: "post",
      path: "/gates",
      summary: "Judge a candidate by limits; what is judged is fixed now, and nothing is waited for",
      body: gateCreate,
      status: 201,
      response: gate,
      problems: [403, 404, 409],
      handle: async ({ body }) => {
        const { deployment, candidate, sinceMs, author, ...criteria } = body;
        const id = await runLiveGate({ store }, { deployment, candidate, sinceMs, author, criteria });
        return gateView(await store.gates.get(id));
      },
    }),
    route({
      method: "get",
      path: "/gates/{gate}",
      summary: "A gate with its report",
      response: gate,
      problems: [404],
      handle: async ({ params }) => gateView(await store.gates.get(gateId(params.gate))),
    }),
  ];
}

export function gateId(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UnderstudyError("not_found", "There is no such gate", {
    hint: "GET /api/v1/gates lists them.",
  });
}
