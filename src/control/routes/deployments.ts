import { defaultPolicy, parsePolicy } from "../../compare/policy.js";
import {
  deployment,
  deploymentCreate,
  deploymentPage,
  deploymentUpdate,
  pageQuery,
  policy,
  policyBody,
} from "../api.js";
import type { ControlContext } from "../context.js";
import { pageOfAll } from "../cursor.js";
import { checkedEndpoint, checkedPrimary, checkedRedaction } from "../registration.js";
import { type Route, route } from "../route.js";
import { deploymentView, policyView } from "../views.js";

export function deploymentRoutes(context: ControlContext): Route[] {
  const { registry } = context.store;
  return [
    route({
      method: "get",
      path: "/deployments",
      summary: "All deployments, by name",
      query: pageQuery,
      response: deploymentPage,
      handle: async ({ query }) => {
        const all = (await registry.listDeployments()).map(deploymentView);
        return pageOfAll(all, (item) => item.name, query);
      },
    }),
    route({
      method: "post",
      path: "/deployments",
      summary: "Register a deployment; its primary must answer",
      body: deploymentCreate,
      status: 201,
      response: deployment,
      problems: [403, 409, 422],
      handle: async ({ body }) => {
        // Before anyone is asked over the network; the store looks again, under its lock.
        await registry.refuseTaken(body.name, body.primary.model ?? body.name);
        const primary = await checkedPrimary(context, body.primary, body.name);
        const control = body.control ? await checkedEndpoint(context, body.control, primary.model) : null;
        const created = await registry.createDeployment({
          name: body.name,
          primary,
          control,
          sampleRate: body.sampleRate ?? 1,
          captureEnabled: body.captureEnabled ?? true,
          capture: body.capture,
          redaction: body.redaction && (await checkedRedaction(context, body.redaction, primary)),
          keepAnswers: body.keepAnswers,
          keepMatchDetails: body.keepMatchDetails,
          answersBytesPerDay: body.answersBytesPerDay,
          policy: body.policy ?? defaultPolicy,
        });
        return deploymentView(created);
      },
    }),
    route({
      method: "get",
      path: "/deployments/{deployment}",
      summary: "One deployment",
      response: deployment,
      problems: [404],
      handle: async ({ params }) => deploymentView(await registry.getDeployment(params.deployment)),
    }),
    route({
      method: "patch",
      path: "/deployments/{deployment}",
      summary: "Change a deployment; absent fields stay",
      body: deploymentUpdate,
      response: deployment,
      problems: [403, 404, 409, 422],
      handle: async ({ params, body }) => {
        const before = await registry.getDeployment(params.deployment);
        const { name } = before;
        const { primary, control, redaction, ...rest } = body;
        const newPrimary = primary && (await checkedPrimary(context, primary, name));
        const model = newPrimary?.model ?? before.primary.model;
        // Another model may not have what the rules that are there can be applied to.
        if (redaction ?? newPrimary)
          await checkedRedaction(context, redaction ?? before.redaction, newPrimary ?? before.primary);
        const changed = await registry.updateDeployment(name, {
          ...rest,
          redaction,
          ...(newPrimary ? { primary: newPrimary } : {}),
          ...(control === undefined
            ? {}
            : { control: control && (await checkedEndpoint(context, control, model)) }),
        });
        return deploymentView(changed);
      },
    }),
    route({
      method: "get",
      path: "/deployments/{deployment}/policy",
      summary: "The policy in force",
      response: policy,
      problems: [404],
      handle: async ({ params }) => policyView((await registry.getDeployment(params.deployment)).policy),
    }),
    route({
      method: "put",
      path: "/deployments/{deployment}/policy",
      summary: "Put another policy in force: a new version, and new live runs under it",
      body: policyBody,
      response: policy,
      problems: [403, 404],
      handle: async ({ params, body }) =>
        policyView(await registry.setPolicy(params.deployment, parsePolicy(body))),
    }),
  ];
}
