import { candidate, candidateCreate, candidatePage, pageQuery } from "../api.js";
import type { ControlContext } from "../context.js";
import { pageOfAll } from "../cursor.js";
import { checkedCandidate } from "../registration.js";
import { type Route, route } from "../route.js";
import { candidateView } from "../views.js";

export function candidateRoutes(context: ControlContext): Route[] {
  const { registry } = context.store;
  return [
    route({
      method: "get",
      path: "/deployments/{deployment}/candidates",
      summary: "The candidates of a deployment, by name",
      query: pageQuery,
      response: candidatePage,
      problems: [404],
      handle: async ({ params, query }) => {
        const { name } = await registry.getDeployment(params.deployment);
        const all = (await registry.listCandidates(name)).map((item) => candidateView(name, item));
        return pageOfAll(all, (item) => item.name, query);
      },
    }),
    route({
      method: "post",
      path: "/deployments/{deployment}/candidates",
      summary: "Register a candidate, or another revision of it; it must answer, its ONNX file must load",
      body: candidateCreate,
      status: 201,
      response: candidate,
      problems: [403, 404, 422],
      handle: async ({ params, body }) => {
        const { name, primary } = await registry.getDeployment(params.deployment);
        const checked = await checkedCandidate(context, body, primary.model);
        return candidateView(name, await registry.addCandidate(name, checked));
      },
    }),
    route({
      method: "get",
      path: "/deployments/{deployment}/candidates/{candidate}",
      summary: "One candidate",
      response: candidate,
      problems: [404],
      handle: async ({ params }) =>
        candidateView(params.deployment, await registry.getCandidate(params.deployment, params.candidate)),
    }),
  ];
}
