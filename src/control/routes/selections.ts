import { UnderstudyError } from "../../errors.js";
import type { Selection as StoredSelection } from "../../store/selections.js";
import {
  pageQuery,
  type Selection,
  selection,
  selectionComparison,
  selectionCreate,
  selectionPage,
} from "../api.js";
import type { ControlContext } from "../context.js";
import { pageOfAll } from "../cursor.js";
import { type Route, route } from "../route.js";
import { selectionComparisonView } from "../selection-comparison-view.js";

/** Named sets of captures, to be replayed to one candidate after the other. */
export function selectionRoutes({ store }: Pick<ControlContext, "store">): Route[] {
  const { selections } = store;
  return [
    route({
      method: "get",
      path: "/deployments/{deployment}/selections",
      summary: "The selections of a deployment, by name",
      query: pageQuery,
      response: selectionPage,
      problems: [404],
      handle: async ({ params, query }) =>
        pageOfAll((await selections.list(params.deployment)).map(view), (item) => item.name, query),
    }),
    route({
      method: "post",
      path: "/deployments/{deployment}/selections",
      summary: "Name a set of captures; sealed: these very ones for ever, in a random order",
      body: selectionCreate,
      status: 201,
      response: selection,
      problems: [403, 404, 409],
      handle: async ({ params, body }) => {
        const { name, filter, seal } = body;
        return view(await selections.create({ deployment: params.deployment, name, filter, seal }));
      },
    }),
    route({
      method: "get",
      path: "/deployments/{deployment}/selections/{selection}",
      summary: "One selection, and how many captures it means",
      response: selection,
      problems: [404],
      handle: async ({ params }) => view(await selections.get(params.deployment, params.selection)),
    }),
    route({
      method: "delete",
      path: "/deployments/{deployment}/selections/{selection}",
      summary: "Delete a selection; the days that a sealed one held may go then",
      status: 204,
      problems: [403, 404, 409],
      handle: async ({ params }) => {
        await selections.remove(params.deployment, params.selection);
        return undefined;
      },
    }),
    route({
      method: "get",
      path: "/deployments/{deployment}/selections/{selection}/comparison",
      summary:
        "Candidates to which a sealed selection was replayed, on the members that all of them answered",
      response: selectionComparison,
      problems: [404, 409],
      handle: async ({ params }) => {
        const found = await selections.get(params.deployment, params.selection);
        if (found.sealed === null) {
          throw new UnderstudyError("conflict", `The selection ${found.name} is not sealed.`, {
            hint: "What it means changes, so no two replays of it are of the same requests: seal it, and replay it again.",
          });
        }
        return selectionComparisonView(
          found,
          await selections.compare(found.id),
          await selections.replayedTo(found.id),
        );
      },
    }),
    route({
      method: "post",
      path: "/deployments/{deployment}/selections/{selection}/seal",
      summary: "Make a selection immutable",
      response: selection,
      problems: [403, 404, 409],
      handle: async ({ params }) => view(await selections.seal(params.deployment, params.selection)),
    }),
  ];
}

function view({ sealed, createdAtMs, ...stored }: StoredSelection): Selection {
  const { deployment, name, filter, captures, erased } = stored;
  const seal = sealed && { at: sealed.atMs, key: sealed.key, sha256: sealed.sha256 };
  return { deployment, name, filter, captures, erased, sealed: seal, createdAt: createdAtMs };
}
