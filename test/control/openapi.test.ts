import { afterAll, beforeAll, expect, test } from "vitest";
import { apiRoutes } from "../../src/control/app.js";
import type { ControlContext } from "../../src/control/context.js";
import { openControl, silent, type TestControl } from "./support.js";

let control: TestControl;
// biome-ignore lint/suspicious/noExplicitAny: the document is looked at as JSON
let document: any;
beforeAll(async () => {
  control = await openControl();
  document = (await control.call("GET", "/openapi.json")).body;
});
afterAll(() => control.close());

test("its head", () => {
  expect(document).toMatchObject({
    openapi: "3.1.0",
    servers: [{ url: "/api/v1" }],
    info: { title: "Understudy" },
  });
});

test("it has every route, each with parameters, a success and problems", () => {
  const context: ControlContext = {
    ...control,
    log: silent,
    upstream: {} as ControlContext["upstream"],
    webhooks: {} as ControlContext["webhooks"],
  };
  const mounted = apiRoutes(context).map(({ method, path }) => `${method} ${path}`);
  const described = Object.entries<object>(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path}`),
  );
  expect(described.sort()).toEqual(mounted.sort());
  expect(described).toContain("get /deployments/{deployment}/candidates/{candidate}/comparisons");
});

test("every mounted route answers, and what is not described does not", async () => {
  for (const [path, item] of Object.entries<Record<string, unknown>>(document.paths)) {
    for (const method of Object.keys(item)) {
      const answer = await control.call(method.toUpperCase(), path.replace(/\{\w+\}/g, "1"), {
        ...(method === "get" || method === "delete" ? {} : { body: {} }),
      });
      // Unknown names are 404 as well; only what has no route at all says so in these words.
      expect(answer.body?.detail ?? "").not.toMatch(/^There is no [A-Z]+ \//);
    }
  }
});

test("its operations: unique ids, declared parameters, one success, problems", () => {
  const ids: string[] = [];
  for (const [path, item] of Object.entries<Record<string, never>>(document.paths)) {
    for (const operation of Object.values<{
      operationId: string;
      parameters?: { name: string; in: string; required?: boolean }[];
      responses: Record<string, { content?: Record<string, unknown> }>;
    }>(item)) {
      ids.push(operation.operationId);
      const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
      expect(inPath.map((parameter) => parameter.name)).toEqual(
        [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]),
      );
      expect(inPath.every((parameter) => parameter.required)).toBe(true);
      const statuses = Object.keys(operation.responses);
      expect(statuses.filter((status) => status.startsWith("2"))).toHaveLength(1);
      expect(statuses).toEqual(expect.arrayContaining(["400", "403", "413", "500", "503"]));
      for (const status of statuses.filter((status) => !status.startsWith("2"))) {
        expect(Object.keys(operation.responses[status]!.content!)).toEqual(["application/problem+json"]);
      }
    }
  }
  expect(new Set(ids).size).toBe(ids.length);
});

test("every reference resolves, and no schema is left unused", () => {
  const references = new Set(JSON.stringify(document).match(/#\/components\/schemas\/\w+/g));
  const named = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
  expect([...references].sort()).toEqual(named.sort());
  expect(named).toContain("#/components/schemas/Ledger");
});

test("queries tell their types", () => {
  const list = document.paths["/deployments/{deployment}/candidates/{candidate}/comparisons"].get;
  const schemas = Object.fromEntries(
    list.parameters.map((parameter: { name: string; schema: object }) => [parameter.name, parameter.schema]),
  );
  expect(schemas).toMatchObject({
    result: { enum: ["match", "mismatch", "ignored", "incomparable"] },
    limit: { type: "integer" },
    from: { type: "string" },
    sort: { enum: expect.arrayContaining(["-capturedAt", "maxAbs"]) },
  });
});
