import { z } from "zod";
import { type ErasureSubject, erasureTargets } from "../../erasure/targets.js";
import { UnderstudyError } from "../../errors.js";
import type { Erasure as StoredErasure } from "../../store/erasure-types.js";
import { type Erasure, erasure, erasureCreate, erasurePage, pageQuery } from "../api.js";
import type { ControlContext } from "../context.js";
import { decodeCursor, encodeCursor } from "../cursor.js";
import { type Route, route } from "../route.js";

const limitDefault = 50;

/** What was asked to be forgotten. Workers do it. */
export function erasureRoutes({ store, config }: Pick<ControlContext, "store" | "config">): Route[] {
  const { erasures, registry } = store;
  return [
    route({
      method: "get",
      path: "/erasures",
      summary: "Erasures, the newest first",
      query: pageQuery,
      response: erasurePage,
      handle: async ({ query: { limit = limitDefault, cursor } }) => {
        const before = cursor === undefined ? null : decodeCursor(cursor, z.tuple([z.uuid()]))[0];
        const found = await erasures.list({ before, limit: limit + 1 });
        const items = found.slice(0, limit).map(view);
        const last = items.at(-1);
        return { items, nextCursor: found.length > limit && last ? encodeCursor([last.id]) : null };
      },
    }),
    route({
      method: "post",
      path: "/erasures",
      summary: "Erase one request, or all of a subject's, from everything that is kept",
      body: erasureCreate,
      status: 201,
      response: erasure,
      problems: [403, 404],
      handle: async ({ body: { deployment = null, request, subject } }) => {
        const what: ErasureSubject = request === undefined ? { subject: subject! } : { request };
        const deployments =
          deployment === null ? await registry.listDeployments() : [await registry.getDeployment(deployment)];
        const ids = deployments.map(({ id }) => id);
        const targets = erasureTargets(what, ids, config.redactionKey);
        const kind = request === undefined ? "subject" : "request";
        return view(await erasures.create({ kind, deployment, targets }));
      },
    }),
    route({
      method: "get",
      path: "/erasures/{erasure}",
      summary: "How far an erasure is, and the proof once it is done",
      response: erasure,
      problems: [404],
      handle: async ({ params }) => {
        const id = z.uuid().safeParse(params.erasure).data;
        if (id !== undefined) return view(await erasures.get(id));
        throw new UnderstudyError("not_found", `There is no erasure ${JSON.stringify(params.erasure)}.`);
      },
    }),
  ];
}

function view({ createdAtMs, doneAtMs, proof, ...stored }: StoredErasure): Erasure {
  if (proof === null) return { ...stored, proof: null, createdAt: createdAtMs, doneAt: doneAtMs };
  const { provedAtMs, ...searched } = proof;
  return { ...stored, proof: { ...searched, at: provedAtMs }, createdAt: createdAtMs, doneAt: doneAtMs };
}
