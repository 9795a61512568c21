import { z } from "zod";
import { UnderstudyError } from "../../errors.js";
import { deadWorkPage, deadWorksQuery, workRetry } from "../api.js";
import type { ControlContext } from "../context.js";
import { decodeCursor, encodeCursor } from "../cursor.js";
import { type Route, route } from "../route.js";
import { deadWorkView } from "../views.js";

const limitDefault = 50;

export function workRoutes({ store }: Pick<ControlContext, "store">): Route[] {
  const { deadWorks } = store;
  return [
    route({
      method: "get",
      path: "/works",
      summary:
        "Works that were given up, the newest first: poison requests, and segments that cannot be read",
      query: deadWorksQuery,
      response: deadWorkPage,
      handle: async ({ query }) => {
        const { deployment = null, candidate = null, limit = limitDefault, cursor } = query;
        const before = cursor === undefined ? null : BigInt(decodeCursor(cursor, z.tuple([workId]))[0]);
        const found = await deadWorks.list({ deployment, candidate, before, limit: limit + 1 });
        const items = found.slice(0, limit).map(deadWorkView);
        const last = items.at(-1);
        return { items, nextCursor: found.length > limit && last ? encodeCursor([last.id]) : null };
      },
    }),
    route({
      method: "post",
      path: "/works/{work}/retry",
      summary: "Take a work up again that was given up",
      response: workRetry,
      problems: [404],
      handle: async ({ params }) => {
        const id = workId.safeParse(params.work).data;
        if (id === undefined) throw noDeadWork(params.work);
        if (!(await deadWorks.retry(BigInt(id)))) throw noDeadWork(id);
        return { id, state: "pending" as const };
      },
    }),
  ];
}

const workId = z.string().regex(/^[1-9][0-9]{0,17}$/);

const noDeadWork = (id: string) =>
  new UnderstudyError("not_found", `There is no dead work ${JSON.stringify(id)}.`, {
    hint: "`understudy dead list` names those there are; one that was taken up again is dead no more, and a replay that was cancelled, or failed, does not go on.",
  });
