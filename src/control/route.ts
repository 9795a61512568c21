import type { z } from "zod";

/** Names in the braces of a path: `"/deployments/{deployment}"` → `"deployment"`. */
type ParameterOf<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterOf<Rest>
  : never;

/** What a handler is given: everything validated. */
export interface RouteRequest<Path extends string, Query, Body> {
  params: Record<ParameterOf<Path>, string>;
  query: Query;
  body: Body;
}

/**
 * One operation of the API. The same list of routes is mounted and described in the OpenAPI document, so neither can
 * have what the other lacks.
 */
export interface Route {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** Below `/api/v1`, parameters in braces. */
  path: string;
  summary: string;
  /** Statuses of the problems it can answer with, beside those that any can answer with. */
  problems: readonly number[];
  query: z.ZodObject | null;
  body: z.ZodType | null;
  status: 200 | 201 | 204;
  /** null: no content. */
  response: z.ZodType | null;
  handle(request: RouteRequest<string, unknown, unknown>): Promise<unknown>;
}

/** Ties the types of path, query, body and response to the handler's. */
export function route<
  const Path extends string,
  Query extends z.ZodObject = z.ZodObject<Record<never, never>>,
  Body extends z.ZodType = z.ZodUndefined,
  Response extends z.ZodType = z.ZodUndefined,
>(definition: {
  method: Route["method"];
  path: Path;
  summary: string;
  problems?: readonly number[];
  query?: Query;
  body?: Body;
  status?: Route["status"];
  response?: Response;
  handle(request: RouteRequest<Path, z.output<Query>, z.output<Body>>): Promise<z.input<Response>>;
}): Route {
  return {
    ...definition,
    problems: definition.problems ?? [],
    query: definition.query ?? null,
    body: definition.body ?? null,
    response: definition.response ?? null,
    status: definition.status ?? 200,
    // Only `mount` calls it, with what these very schemas made.
    handle: definition.handle as Route["handle"],
  };
}
