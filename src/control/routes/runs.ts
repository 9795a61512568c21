import { parsePolicy } from "../../compare/policy.js";
import { UnderstudyError } from "../../errors.js";
import { type RejudgeCreate, rejudgeCreate, run } from "../api.js";
import type { ControlContext } from "../context.js";
import { type Route, route } from "../route.js";
import { runView } from "../run-view.js";
import { chosenRun } from "../runs.js";

/** Runs, and the one kind that is asked for here: judging stored pairs again by another policy. */
export function runRoutes({ store }: Pick<ControlContext, "store">): Route[] {
  async function view(id: number) {
    const found = await store.registry.getRun(id);
    const wholeTime = { fromMs: null, toMs: null };
    return runView(found, await store.rejudges.progress(id), await store.rollups.summary(id, wholeTime));
  }
  return [
    route({
      method: "post",
      path: "/deployments/{deployment}/candidates/{candidate}/rejudge",
      summary: "Judge stored pairs again by another policy, without inference, as a run of its own",
      body: rejudgeCreate,
      status: 201,
      response: run,
      problems: [403, 404, 409],
      handle: async ({ params, body }) => {
        const candidate = await store.registry.getCandidate(params.deployment, params.candidate);
        const opened = await store.rejudges.open({
          deployment: params.deployment,
          policy: policyOf(body),
          sourceRunId: await chosenRun(store, candidate, body.run),
          range: { fromMs: body.from ?? null, toMs: body.to ?? null },
        });
        return view(opened.id);
      },
    }),
    route({
      method: "get",
      path: "/runs/{run}",
      summary: "A run: how far it is; of a rejudge also before and after, and what share was still stored",
      response: run,
      problems: [404],
      handle: ({ params }) => view(runId(params.run)),
    }),
  ];
}

function policyOf({ policy, policyVersion }: Pick<RejudgeCreate, "policy" | "policyVersion">) {
  return policyVersion === undefined ? { body: parsePolicy(policy) } : { version: policyVersion };
}

function runId(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UnderstudyError("not_found", "There is no such run", {
    hint: "A candidate's newest live run is in GET /api/v1/deployments/{deployment}/candidates.",
  });
}
