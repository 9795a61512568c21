import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createApiClient } from "../api-client.js";
import type { Config } from "../config.js";
import type { AlertRule, AlertRulePage, CandidatePage, DeploymentPage } from "../control/api.js";
import type { Logger } from "../log.js";
import { digitsDir } from "../paths.js";
import { freePort } from "../process/free-port.js";
import { type Supervised, supervise } from "../process/supervise.js";

/** Requests per second that the demo sends. */
export const demoRatePerSecond = 30;

const candidates = { int8: "onnx:int8.onnx", regressed: "onnx:regressed.onnx" };

/** The demo's own processes, and what the others must know of them. */
export interface DemoParts {
  models: Supervised;
  primaryUrl: string;
  /** Where the demo's webhook receiver will listen. */
  webhookUrl: string;
  settings: NodeJS.ProcessEnv;
}

/** Starts the demo's primary: the digits model behind a model server. */
export async function startDemoModels(
  config: Config,
  settings: NodeJS.ProcessEnv,
  log: Logger,
  ending: AbortSignal,
): Promise<DemoParts> {
  const webhookPort = await freePort("127.0.0.1");
  const demoSettings = {
    UNDERSTUDY_MODELS_DIR: digitsDir,
    UNDERSTUDY_WEBHOOK_ALLOW: [...config.webhookAllow, `127.0.0.1:${webhookPort}`].join(","),
  };
  const models = await supervise(
    ["model-server", "--model", `digits=${join(digitsDir, "primary.onnx")}`],
    (before) => ({
      ...settings,
      ...demoSettings,
      UNDERSTUDY_MODEL_SERVER_PORT: String(before?.port ?? config.modelServerPort),
    }),
    log,
    ending,
  );
  return {
    models,
    primaryUrl: String(models.ready.url),
    webhookUrl: `http://127.0.0.1:${webhookPort}/`,
    settings: demoSettings,
  };
}

/** Registers the demo's deployment, candidates and alert rule; on a second start brings their addresses up to date. */
export async function seedDemo(controlUrl: string, demo: DemoParts): Promise<void> {
  const api = createApiClient(controlUrl);
  const primary = { url: demo.primaryUrl, model: "digits" };
  // A second look at the same server: its noise is 0, which is what the page then says.
  const control = primary;
  const { items: deployments } = await api.get<DeploymentPage>("/deployments");
  if (deployments.some((deployment) => deployment.name === "digits")) {
    await api.patch("/deployments/digits", { primary, control });
  } else {
    const policy = JSON.parse(await readFile(join(digitsDir, "policy.json"), "utf8")) as unknown;
    await api.post("/deployments", { name: "digits", primary, control, policy });
  }

  const { items: registered } = await api.get<CandidatePage>("/deployments/digits/candidates");
  for (const [name, url] of Object.entries(candidates)) {
    if (registered.some((candidate) => candidate.name === name)) continue;
    await api.post("/deployments/digits/candidates", { name, url });
  }

  const { items: rules } = await api.get<AlertRulePage>("/alert-rules");
  const rule = rules.find((known) => known.deployment === "digits" && known.name === demoRule.name);
  if (rule) await api.patch<AlertRule>(`/alert-rules/${rule.id}`, { webhookUrl: demo.webhookUrl });
  else await api.post<AlertRule>("/alert-rules", { ...demoRule, webhookUrl: demo.webhookUrl });
}

const demoRule = {
  name: "digits diverge",
  deployment: "digits",
  threshold: 0.1,
  windowMs: 60_000,
  minSamples: 100,
};

/** Starts the traffic, and the receiver that shows which webhooks arrive. */
export function startDemoTraffic(
  gatewayUrl: string,
  demo: DemoParts,
  settings: NodeJS.ProcessEnv,
  log: Logger,
  ending: AbortSignal,
): Promise<Supervised> {
  const webhookPort = new URL(demo.webhookUrl).port;
  return supervise(
    [
      "demo-traffic",
      "--gateway",
      gatewayUrl,
      "--rate",
      String(demoRatePerSecond),
      "--webhook-port",
      webhookPort,
    ],
    () => settings,
    log,
    ending,
  );
}
