import { UnderstudyError } from "../../errors.js";
import {
  type Signature,
  type SignatureUpdate,
  signature,
  signaturePage,
  signaturesQuery,
  signatureUpdate,
} from "../api.js";
import type { ControlContext } from "../context.js";
import { pageOfAll } from "../cursor.js";
import { type Route, route } from "../route.js";
import { chosenRun } from "../runs.js";
import { signatureView } from "../signature-views.js";

/** Divergences by what they have in common, and what people say of each group. */
export function signatureRoutes({ store }: Pick<ControlContext, "store">): Route[] {
  const { registry, signatures } = store;

  return [
    route({
      method: "get",
      path: "/deployments/{deployment}/candidates/{candidate}/signatures",
      summary: "A run's divergences in groups, the most frequent first, and those that are fixed",
      query: signaturesQuery,
      response: signaturePage,
      problems: [404],
      handle: async ({ params, query }) => {
        const candidate = await registry.getCandidate(params.deployment, params.candidate);
        const run = await chosenRun(store, candidate, query.run);
        const nowMs = Date.now();
        const all = (await signatures.list(candidate.id, run)).map((row) => signatureView(row, nowMs));
        const shown = all.filter(({ count, state }) => count > 0 || state === "fixed");
        return pageOfAll(shown, byCount, query);
      },
    }),
    route({
      method: "patch",
      path: "/deployments/{deployment}/candidates/{candidate}/signatures/{signature}",
      summary: "Say what a group of divergences is: known, accepted until a moment, fixed, or new again",
      body: signatureUpdate,
      response: signature,
      problems: [403, 404],
      handle: async ({ params, body }) => {
        const candidate = await registry.getCandidate(params.deployment, params.candidate);
        const { id, liveRunId } = candidate;
        if (await signatures.mark(id, params.signature, markOf(body))) {
          const rows = await signatures.list(id, liveRunId, params.signature);
          const row = rows.find(({ group }) => group.signature === params.signature);
          if (row) return signatureView(row, Date.now());
        }
        throw new UnderstudyError("not_found", `${candidate.name} has no signature of that id`, {
          hint: `GET /api/v1/deployments/${params.deployment}/candidates/${candidate.name}/signatures lists them.`,
        });
      },
    }),
  ];
}

/** Most frequent first; an id tells groups apart that were seen as often. */
function byCount({ id, count }: Signature): string {
  return `${String(Number.MAX_SAFE_INTEGER - count).padStart(16, "0")} ${id}`;
}

function markOf({ state, until, note, by }: SignatureUpdate) {
  return { state, acceptedUntilMs: until ?? null, note: note ?? null, by: by ?? null };
}
