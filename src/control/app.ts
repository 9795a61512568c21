import { existsSync } from "node:fs";
import { join } from "node:path";
import express, { type Express, type RequestHandler, type Response } from "express";
import helmet from "helmet";
import type { Registry } from "../metrics.js";
import type { ControlContext } from "./context.js";
import type { EventStreams } from "./event-streams.js";
import { gatePage } from "./gate-page.js";
import { refuseCrossSite, requireJson, requireLoopbackHost } from "./guards.js";
import { mount } from "./mount.js";
import { openApiDocument } from "./openapi.js";
import { notFound, problems } from "./problems.js";
import type { Route } from "./route.js";
import { accountRoutes } from "./routes/accounts.js";
import { alertRoutes } from "./routes/alerts.js";
import { candidateRoutes } from "./routes/candidates.js";
import { captureRoutes } from "./routes/capture.js";
import { comparisonRoutes } from "./routes/comparisons.js";
import { deploymentRoutes } from "./routes/deployments.js";
import { erasureRoutes } from "./routes/erasures.js";
import { gateEvents, gateRoutes } from "./routes/gates.js";
import { proposalRoutes } from "./routes/proposals.js";
import { replayEvents, replayRoutes } from "./routes/replays.js";
import { runRoutes } from "./routes/runs.js";
import { selectionRoutes } from "./routes/selections.js";
import { signatureRoutes } from "./routes/signatures.js";
import { workRoutes } from "./routes/works.js";

const bodyBytesMax = 1024 ** 2;

/** All operations of the API. */
export function apiRoutes(context: ControlContext): Route[] {
  return [
    ...deploymentRoutes(context),
    ...candidateRoutes(context),
    ...accountRoutes(context),
    ...captureRoutes(context),
    ...runRoutes(context),
    ...replayRoutes(context),
    ...selectionRoutes(context),
    ...workRoutes(context),
    ...comparisonRoutes(context),
    ...signatureRoutes(context),
    ...proposalRoutes(context),
    ...alertRoutes(context),
    ...gateRoutes(context),
    ...erasureRoutes(context),
  ];
}

/** The control plane as an Express app: API, OpenAPI document, health, metrics, reviewer page. */
export function createApp(
  context: ControlContext,
  metrics: Registry,
  webRoot: string,
  streams: EventStreams,
): Express {
  const app = express();
  app.disable("x-powered-by");
  // What the API says is never stored, so there is nothing to compare a tag with.
  app.disable("etag");
  app.set("json replacer", wireValue);
  app.use(requireLoopbackHost(context.config.host));
  app.use(securityHeaders());

  app.get("/healthz", (_request, response) => void response.json({ status: "ok" }));
  app.get("/readyz", ready(context));
  app.get("/metrics", async (_request, response) => {
    response.type(metrics.contentType).send(await metrics.metrics());
  });

  const routes = apiRoutes(context);
  const document = openApiDocument(routes);
  const api = express.Router();
  api.use(noStore, refuseCrossSite, requireJson, express.json({ limit: bodyBytesMax }));
  api.get("/openapi.json", (_request, response) => void response.json(document));
  api.get("/gates/:gate/report.html", gatePage(context));
  api.get("/gates/:id/events", streams.handler(gateEvents(context)));
  api.get("/replays/:id/events", streams.handler(replayEvents(context)));
  api.use(mount(routes), notFound);
  app.use("/api/v1", api);

  app.use(page(webRoot), notFound);
  app.use(problems(context.log));
  return app;
}

/** What JSON has no number for. */
function wireValue(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

/** Everything the page needs comes from here; captured text that found its way into it could not run anyway. */
function securityHeaders(): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", "data:"],
        fontSrc: ["'self'"],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    // Whether there is TLS is known to what stands before us.
    strictTransportSecurity: false,
  });
}

const noStore: RequestHandler = (_request, response, next) => {
  response.set("cache-control", "no-store");
  next();
};

function ready({ store }: ControlContext): RequestHandler {
  return async (_request, response) => {
    await store.gauges.firingAlerts();
    response.json({ status: "ready" });
  };
}

/** The reviewer page's files; any other path is one of the page's own, which it finds by itself. */
function page(webRoot: string): RequestHandler {
  const router = express.Router();
  const setHeaders = (response: Response, path: string) => {
    const hashed = path.includes(join(webRoot, "assets"));
    response.set("cache-control", hashed ? "public, max-age=31536000, immutable" : "no-cache");
  };
  router.use(express.static(webRoot, { setHeaders, dotfiles: "ignore" }));
  router.get(/^\/(?!assets\/|api\/)/, (request, response, next) => {
    const index = join(webRoot, "index.html");
    if (!request.accepts("html") || !existsSync(index)) {
      next();
      return;
    }
    response.set("cache-control", "no-cache").sendFile(index);
  });
  return router;
}
