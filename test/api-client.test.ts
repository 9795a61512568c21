import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createApiClient } from "../src/api-client.js";

async function answering(status: number, type: string, body: string) {
  const server = createServer((_, response) =>
    response.writeHead(status, { "content-type": type }).end(body),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return createApiClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

test.each([
  ["a page", 200, "text/html", "<p>"],
  ["an error of another service", 404, "application/json", '{"error":"no such model"}'],
  ["a proxy's error", 502, "text/html", "<h1>Bad gateway"],
])("%s is no answer of a control plane", async (_, status, type, body) => {
  const api = await answering(status, type, body);
  await expect(api.get("/deployments")).rejects.toMatchObject({
    code: "control_unreachable",
    hint: expect.stringContaining("UNDERSTUDY_CONTROL_URL"),
  });
});

test("a problem says each fault once", async () => {
  const problem = {
    status: 400,
    detail: "The body is not valid: url: must be a URL",
    errors: [{ path: "url", message: "must be a URL" }],
    hint: "Correct it.",
  };
  const api = await answering(400, "application/problem+json; charset=utf-8", JSON.stringify(problem));
  await expect(api.post("/deployments", {})).rejects.toMatchObject({
    code: "invalid_request",
    message: problem.detail,
    hint: problem.hint,
  });
});
