import { z } from "zod";
import { UnderstudyError } from "../../errors.js";
import { runLiveGate } from "../../gate/live-gate.js";
import { promote } from "../../gate/promote.js";
import { openSelectionGate } from "../../gate/selection-gate.js";
import { standingOf } from "../../gate/standing.js";
import type { StoredGate } from "../../store/gate-types.js";
import {
  type Gate,
  gate,
  gateApprove,
  gateCreate,
  gatePage,
  gatesQuery,
  pageQuery,
  promotion,
  promotionCreate,
  promotionPage,
} from "../api.js";
import type { ControlContext } from "../context.js";
import { decodeCursor, encodeCursor, pageOfAll } from "../cursor.js";
import type { Told } from "../event-streams.js";
import { gateItemView, gateView, promotionView } from "../gate-views.js";
import { type Route, route } from "../route.js";

const limitDefault = 50;
/** How far back a live run is judged. */
const liveMs = 86_400_000;
const position = z.tuple([z.number().int().min(1).max(2_147_483_647)]);

/** Gates: decisions under stated limits, with their evidence. */
export function gateRoutes(context: Pick<ControlContext, "store" | "upstream" | "webhooks">): Route[] {
  const { store, webhooks, upstream } = context;
  const view = (found: StoredGate) => viewOf(context, found);
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
      summary:
        "Judge a candidate by limits: the last 24 hours of its live run, fixed now and judged at once; or a sealed selection, or what was captured lately, of which as much is replayed as a verdict takes",
      body: gateCreate,
      status: 201,
      response: gate,
      problems: [403, 404, 409, 422],
      handle: async ({ body }) => view(await store.gates.get(await begin(context, body))),
    }),
    route({
      method: "get",
      path: "/gates/{gate}",
      summary: "A gate with its report",
      response: gate,
      problems: [404],
      handle: async ({ params }) => view(await store.gates.get(gateId(params.gate))),
    }),
    route({
      method: "post",
      path: "/gates/{gate}/cancel",
      summary:
        "End a running gate without a verdict; what was replayed for it stays, and the next one uses it",
      response: gate,
      problems: [403, 404, 409],
      handle: async ({ params }) => {
        const id = gateId(params.gate);
        const ended = await store.gates.giveUp(
          id,
          "cancelled",
          "The gate was cancelled: there is no verdict. What was replayed for it stays: the same gate again goes on from there.",
        );
        const found = await store.gates.get(id);
        if (ended) return view(found);
        throw new UnderstudyError("conflict", `Gate ${id} is ${found.state}: it cannot be cancelled.`);
      },
    }),
    route({
      method: "post",
      path: "/gates/{gate}/approvals",
      summary: "Approve a gate that passed; lapses when what it is about changes",
      body: gateApprove,
      status: 201,
      response: gate,
      problems: [403, 404, 409],
      handle: async ({ params, body }) => {
        const found = await store.gates.get(gateId(params.gate));
        const { gateApproval } = await store.registry.getDeployment(found.deployment);
        if (found.verdict !== "pass" || found.sha256 === null) {
          throw new UnderstudyError(
            "conflict",
            `Gate ${found.id} is ${found.verdict ?? found.state}: only a pass is approved`,
          );
        }
        if (gateApproval === "other" && body.by === found.author) {
          throw new UnderstudyError(
            "conflict",
            `${found.deployment} asks for an approval by another than the gate's author`,
          );
        }
        await store.gates.approve(found.id, { ...body, sha256: found.sha256 });
        return view(await store.gates.get(found.id));
      },
    }),
    route({
      method: "get",
      path: "/deployments/{deployment}/promotions",
      summary: "Who holds the aliases champion and challenger",
      query: pageQuery,
      response: promotionPage,
      problems: [404],
      handle: async ({ params, query }) => {
        const { name } = await store.registry.getDeployment(params.deployment);
        return pageOfAll((await store.promotions.held(name)).map(promotionView), ({ alias }) => alias, query);
      },
    }),
    route({
      method: "post",
      path: "/deployments/{deployment}/promotions",
      summary:
        "Give a candidate an alias, if its newest gate passed, still holds, and is approved where that is asked for",
      body: promotionCreate,
      status: 201,
      response: promotion,
      problems: [403, 404, 409, 502],
      handle: async ({ params, body }) =>
        promotionView(
          await promote({ store, webhooks, upstream }, { deployment: params.deployment, ...body }),
        ),
    }),
  ];
}

async function viewOf({ store }: Pick<ControlContext, "store">, found: StoredGate): Promise<Gate> {
  const { gateApproval } = await store.registry.getDeployment(found.deployment);
  return gateView(found, await standingOf(store, found), gateApproval);
}

/** A gate as an event stream tells of it. */
export const gateEvents =
  (context: Pick<ControlContext, "store">) =>
  (id: string): Told<Gate> => ({
    read: async () => viewOf(context, await context.store.gates.get(gateId(id))),
    hasEnded: ({ state }) => state !== "running",
  });

type Asked = z.output<typeof gateCreate>;

/** A gate over a selection whose results are all there already is done at once; workers take any other on. */
async function begin(
  { store, upstream }: Pick<ControlContext, "store" | "upstream">,
  { deployment, candidate, selection, sinceMs, fresh, author, ...criteria }: Asked,
): Promise<number> {
  const replayed = selection ?? (sinceMs === undefined ? undefined : { sinceMs });
  if (replayed === undefined) {
    const live = { deployment, candidate, sinceMs: liveMs, author, criteria };
    return runLiveGate({ store, upstream }, live);
  }
  const request = { deployment, candidate, selection: replayed, fresh, author, criteria };
  return openSelectionGate({ store, upstream }, request);
}

export function gateId(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UnderstudyError("not_found", "There is no such gate", {
    hint: "GET /api/v1/gates lists them.",
  });
}
