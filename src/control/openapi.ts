import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from "@asteasolutions/zod-to-openapi";
import { z } from "zod";
import { packageVersion } from "../paths.js";
import { problem } from "./api.js";
import type { Route } from "./route.js";

export type OpenApiDocument = ReturnType<OpenApiGeneratorV31["generateDocument"]>;

/** The OpenAPI 3.1 document of these routes. */
export function openApiDocument(routes: readonly Route[]): OpenApiDocument {
  const registry = new OpenAPIRegistry();
  for (const route of routes) registry.registerPath(operationOf(route));
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: "3.1.0",
    info: {
      title: "Understudy",
      version: packageVersion,
      description:
        "Rates are fractions. Durations are milliseconds, moments are milliseconds since the Unix epoch. " +
        "Non-finite numbers and 64-bit integers of tensors travel as strings.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/api/v1" }],
  });
}

/** Problems of every operation: a bad request, one from another site, a body too large, us, and the database. */
const anywhere = [400, 403, 413, 500, 503];

function operationOf(route: Route): RouteConfig {
  const parameters = [...route.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
  const problems = [...new Set([...anywhere, ...route.problems])].sort();
  return {
    method: route.method,
    path: route.path,
    operationId: operationId(route),
    summary: route.summary,
    tags: [route.path.split("/")[1]!],
    request: {
      ...(parameters.length === 0
        ? {}
        : { params: z.object(Object.fromEntries(parameters.map((name) => [name, z.string()]))) }),
      ...(route.query ? { query: route.query } : {}),
      ...(route.body
        ? { body: { required: true, content: { "application/json": { schema: route.body } } } }
        : {}),
    },
    responses: {
      [route.status]: route.response
        ? { description: "Done", content: { "application/json": { schema: route.response } } }
        : { description: "Done; no content" },
      ...Object.fromEntries(
        problems.map((status) => [
          status,
          { description: "Problem", content: { "application/problem+json": { schema: problem } } },
        ]),
      ),
    },
  };
}

/** `GET /deployments/{deployment}/ledger` → `getDeploymentsByDeploymentLedger`. */
function operationId({ method, path }: Route): string {
  const words = path.split("/").filter((part) => part !== "");
  const pascal = (word: string) =>
    word.replace(/(^|-)(\w)/g, (_, _dash, letter: string) => letter.toUpperCase());
  return (
    method +
    words.map((part) => (part.startsWith("{") ? `By${pascal(part.slice(1, -1))}` : pascal(part))).join("")
  );
}
