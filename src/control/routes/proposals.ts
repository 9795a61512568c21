import { parsePolicy } from "../../compare/policy.js";
import { propose } from "../../compare/propose.js";
import { policyProposal, runQuery } from "../api.js";
import type { ControlContext } from "../context.js";
import { datatypesOf, noiseSketches } from "../noise.js";
import { type Route, route } from "../route.js";
import { chosenRun } from "../runs.js";

/** Tolerances made from noise that was measured. */
export function proposalRoutes({ store }: Pick<ControlContext, "store">): Route[] {
  return [
    route({
      method: "get",
      path: "/deployments/{deployment}/candidates/{candidate}/policy-proposal",
      summary: "Tolerances from the noise of a run, with the reasoning; default: the newest live run",
      query: runQuery,
      response: policyProposal,
      problems: [404],
      handle: async ({ params, query }) => {
        const { policy } = await store.registry.getDeployment(params.deployment);
        const candidate = await store.registry.getCandidate(params.deployment, params.candidate);
        const run = await chosenRun(store, candidate, query.run);
        const series = await store.rollups.summary(run, { fromMs: null, toMs: null });
        const noise = noiseSketches(series, datatypesOf(candidate.metadata));
        const proposal = propose(noise, parsePolicy(policy.body));
        return { run, measured: noise.length > 0, policy: proposal.policy, reasons: [...proposal.reasons] };
      },
    }),
  ];
}
