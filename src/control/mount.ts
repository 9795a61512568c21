import { type RequestHandler, Router } from "express";
import type { z } from "zod";
import { UnderstudyError } from "../errors.js";
import { invalidRequest } from "./problems.js";
import type { Route } from "./route.js";

/** An Express router that validates requests by the routes' schemas and sends what their handlers return. */
export function mount(routes: readonly Route[]): Router {
  const router = Router({ caseSensitive: true, strict: false });
  for (const route of routes) {
    router[route.method](route.path.replace(/\{(\w+)\}/g, ":$1"), handlerOf(route));
  }
  return router;
}

function handlerOf(route: Route): RequestHandler {
  return async (request, response) => {
    const params = request.params as Record<string, string>;
    requireStorable(params, "path");
    const result = await route.handle({
      params,
      query: route.query ? read(route.query, request.query, "query") : {},
      body: route.body ? read(route.body, request.body ?? {}, "body") : undefined,
    });
    response.status(route.status);
    if (route.response) response.json(result);
    else response.end();
  };
}

function read(schema: z.ZodType, value: unknown, where: "query" | "body"): unknown {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalidRequest(parsed.error, where);
  requireStorable(parsed.data, where);
  return parsed.data;
}

/** Postgres takes neither NUL nor half a surrogate pair; no name of ours holds them. */
function requireStorable(value: unknown, where: string): void {
  const text = JSON.stringify(value) ?? "";
  if (!/\\u(0000|d[89a-f])/.test(text)) return;
  throw new UnderstudyError(
    "invalid_request",
    `The ${where} holds NUL or a lone surrogate, which is no text`,
  );
}
