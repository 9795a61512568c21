import { z } from "zod";
import { UnderstudyError } from "../../errors.js";
import { testedCandidate } from "../../gate/tested-candidate.js";
import { endStates, type ReplayTarget, type Replay as StoredReplay } from "../../store/replay-types.js";
import type { Deployment } from "../../store/types.js";
import { type Replay, type ReplayCreate, replay, replayCreate, replayPage, replaysQuery } from "../api.js";
import type { ControlContext } from "../context.js";
import { decodeCursor, encodeCursor } from "../cursor.js";
import type { Told } from "../event-streams.js";
import { checkedEndpoint } from "../registration.js";
import { replayView } from "../replay-view.js";
import { type Route, route } from "../route.js";

const pageMax = 50;
const concurrency = { paced: 256, unpaced: 8 };
const wholeTime = { fromMs: null, toMs: null };

/** Replays of captured traffic: started, watched, held and ended. */
export function replayRoutes(context: ControlContext): Route[] {
  const { store } = context;
  const view = (found: StoredReplay) => viewOf(context, found);
  const action = (verb: "pause" | "resume" | "cancel", summary: string) =>
    route({
      method: "post",
      path: `/replays/{replay}/${verb}`,
      summary,
      response: replay,
      problems: [403, 404, 409],
      handle: async ({ params }) => view(await store.replays[verb](replayId(params.replay))),
    });
  return [
    route({
      method: "get",
      path: "/replays",
      summary: "Replays, the newest first",
      query: replaysQuery,
      response: replayPage,
      handle: async ({ query }) => {
        const { deployment, limit = pageMax, cursor } = query;
        const before =
          cursor === undefined ? undefined : decodeCursor(cursor, z.tuple([z.number().int()]))[0];
        const found = await store.replays.list({
          ...(deployment === undefined ? {} : { deployment }),
          ...(before === undefined ? {} : { before }),
          limit: limit + 1,
        });
        const page = found.slice(0, limit);
        const last = page.at(-1);
        return {
          items: await Promise.all(page.map(view)),
          nextCursor: found.length > page.length && last ? encodeCursor([last.runId]) : null,
        };
      },
    }),
    route({
      method: "post",
      path: "/replays",
      summary: "Replay captured traffic to a candidate, the control or any V2 endpoint, which must answer",
      body: replayCreate,
      status: 201,
      response: replay,
      problems: [403, 404, 409, 422],
      handle: async ({ body }) => {
        const deployment = await store.registry.getDeployment(body.deployment);
        const speed = body.pace === "max" ? null : body.pace === "original" ? 1 : body.pace;
        const opened = await store.replays.open({
          deployment: deployment.name,
          target: await targetOf(context, deployment, body),
          selection: body.selection,
          filter: body.filter ?? {},
          speed,
          concurrency: body.concurrency ?? (speed === null ? concurrency.unpaced : concurrency.paced),
          ratePerSecond: body.ratePerSecond ?? null,
          onFailure: body.onFailure,
        });
        return view(opened);
      },
    }),
    route({
      method: "get",
      path: "/replays/{replay}",
      summary: "One replay: how far it is, its account, and how faithful its time line was",
      response: replay,
      problems: [404],
      handle: async ({ params }) => view(await store.replays.get(replayId(params.replay))),
    }),
    action("pause", "Hold a replay; what is on its way is waited for"),
    action("resume", "Let a paused replay go on where it stopped, as if no time had passed"),
    action("cancel", "End a replay; what was judged stays"),
  ];
}

async function viewOf({ store }: Pick<ControlContext, "store">, found: StoredReplay): Promise<Replay> {
  return replayView(
    found,
    await store.rollups.summary(found.runId, wholeTime),
    await store.replays.fidelity(found.runId),
  );
}

/** A replay as an event stream tells of it. */
export const replayEvents =
  (context: Pick<ControlContext, "store">) =>
  (id: string): Told<Replay> => ({
    read: async () => viewOf(context, await context.store.replays.get(replayId(id))),
    hasEnded: ({ state }) => endStates.has(state),
  });

/**
 * What to replay to, once it has answered: a target that is down from the start would only give failures.
 * @throws UnderstudyError `not_found`, `conflict`, and what is wrong with the endpoint
 */
async function targetOf(
  context: ControlContext,
  deployment: Deployment,
  body: Pick<ReplayCreate, "candidate" | "target">,
): Promise<ReplayTarget> {
  const { store, upstream } = context;
  if (body.target !== undefined) {
    const endpoint = await checkedEndpoint(context, body.target, deployment.primary.model);
    return { kind: "url", endpoint, metadata: {} };
  }
  if (body.candidate !== undefined) {
    const { name, endpoint } = await testedCandidate(store, deployment.name, body.candidate);
    // A file of ours is loaded by the worker; it was, once, when it was registered.
    if (!endpoint.url.startsWith("onnx:")) await upstream.describe(endpoint);
    return { kind: "candidate", name };
  }
  if (deployment.control === null) {
    throw new UnderstudyError("conflict", `${deployment.name} has no control to replay to`, {
      hint: "Give it one: PATCH /api/v1/deployments/{deployment} with control.",
    });
  }
  return {
    kind: "control",
    endpoint: deployment.control,
    metadata: await upstream.describe(deployment.control),
  };
}

function replayId(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UnderstudyError("not_found", "There is no such replay", {
    hint: "GET /api/v1/replays lists them.",
  });
}
