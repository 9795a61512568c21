import { candidate, candidateCreate, candidatePage, candidateUpdate, pageQuery } from "../api.js";
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
        const deployment = await registry.getDeployment(params.deployment);
        const candidates = await registry.listCandidates(deployment.name);
        const all = candidates.map((item) => candidateView(deployment, item));
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
        const deployment = await registry.getDeployment(params.deployment);
        const checked = await checkedCandidate(context, body, deployment.primary.model);
        return candidateView(deployment, await registry.addCandidate(deployment.name, checked));
      },
    }),
    route({
      method: "get",
      path: "/deployments/{deployment}/candidates/{candidate}",
      summary: "One candidate",
      response: candidate,
      problems: [404],
      handle: async ({ params }) => {
        const deployment = await registry.getDeployment(params.deployment);
        return candidateView(deployment, await registry.getCandidate(deployment.name, params.candidate));
      },
    }),
    route({
      method: "patch",
      path: "/deployments/{deployment}/candidates/{candidate}",
      summary: "Change how a candidate is loaded; its run goes on",
      body: candidateUpdate,
      response: candidate,
      problems: [404],
      handle: async ({ params, body }) => {
        const deployment = await registry.getDeployment(params.deployment);
        const changed = await registry.changeCandidate(deployment.name, params.candidate, body);
        return candidateView(deployment, changed);
      },
    }),
  ];
}
