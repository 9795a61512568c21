import { captureSwitch, captureSwitchUpdate, estimate } from "../api.js";
import type { ControlContext } from "../context.js";
import { estimateOf, estimateSpanMs } from "../estimate.js";
import { type Route, route } from "../route.js";

/** The kill switch for all deployments (each has its own, `captureEnabled`), and what capture would cost. */
export function captureRoutes({ store }: Pick<ControlContext, "store">): Route[] {
  const view = ({ enabled, changedAtMs }: { enabled: boolean; changedAtMs: number | null }) => ({
    enabled,
    changedAt: changedAtMs,
  });
  return [
    route({
      method: "get",
      path: "/capture",
      summary: "Whether anything is captured at all",
      response: captureSwitch,
      handle: async () => view(await store.switches.capture()),
    }),
    route({
      method: "patch",
      path: "/capture",
      summary: "Switch capture off or on for all deployments; gateways follow within two seconds",
      body: captureSwitchUpdate,
      response: captureSwitch,
      handle: async ({ body }) => view(await store.switches.setCapture(body.enabled)),
    }),
    route({
      method: "get",
      path: "/deployments/{deployment}/estimate",
      summary: "What a day of captures would take, from the traffic of the last day; capture need not be on",
      response: estimate,
      problems: [404],
      handle: async ({ params }) => {
        const deployment = await store.registry.getDeployment(params.deployment);
        const nowMs = Date.now();
        const traffic = await store.traffic.read(deployment.id, nowMs - estimateSpanMs);
        return estimateOf(deployment, traffic, nowMs);
      },
    }),
  ];
}
