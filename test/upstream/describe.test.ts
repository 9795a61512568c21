import { createServer } from "node:http";
import { afterAll, expect, it, test } from "vitest";
import { createUpstream } from "../../src/upstream/client.js";
import { freePort } from "../queue/redis.js";
import { http, startRawServer } from "./servers.js";

const upstream = createUpstream({ config: { secret: () => undefined } });
afterAll(() => upstream.close());

const endpointOf = (url: string, version: string | null = null) => ({
  url,
  model: "m",
  version,
  headers: {},
});

/** A server that answers the given paths with JSON and all else with 404. */
async function serve(answers: Record<string, unknown>) {
  const server = createServer((request, response) => {
    const body = answers[request.url!];
    response.writeHead(body === undefined ? 404 : 200).end(JSON.stringify(body ?? { error: "unknown" }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}

const metadata = {
  name: "m",
  versions: ["1"],
  platform: "onnx",
  inputs: [{ name: "x", datatype: "FP32", shape: ["-1", 64] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1, 10] }],
};

it("reads a model's metadata, with what else the server says, and its readiness", async () => {
  const server = await serve({ "/v2/models/m": { ...metadata, provider: "cpu" }, "/v2/models/m/ready": {} });
  expect(await upstream.describe(endpointOf(server.url))).toEqual({
    ...metadata,
    inputs: [{ name: "x", datatype: "FP32", shape: [-1, 64] }],
    provider: "cpu",
    ready: true,
  });
  await server.close();
});

it("reads those of one version", async () => {
  const server = await serve({ "/v2/models/m/versions/3": metadata });
  expect(await upstream.describe(endpointOf(server.url, "3"))).toMatchObject({ name: "m", ready: false });
  await server.close();
});

test.each([
  ["a server without the model", { "/v2": {} }, "endpoint_not_v2", /has no model m/],
  ["a server of something else", {}, "endpoint_not_v2", /does not answer as a V2 server/],
  ["metadata of another form", { "/v2/models/m": ["m"] }, "endpoint_not_v2", /is not what V2 says/],
])("%s", async (_, answers, code, message) => {
  const server = await serve(answers);
  await expect(upstream.describe(endpointOf(server.url))).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
    hint: expect.any(String),
  });
  await server.close();
});

it("says that nothing listens", async () => {
  await expect(upstream.describe(endpointOf(`http://127.0.0.1:${await freePort()}`))).rejects.toMatchObject({
    code: "endpoint_unreachable",
    message: expect.stringContaining("ECONNREFUSED"),
  });
});

test.each([
  ["fails", http(500), "endpoint_unreachable"],
  ["is no HTTP server", "220 mail ESMTP\r\n\r\n", "endpoint_not_v2"],
  ["answers in HTML", http(200, "<html>"), "endpoint_not_v2"],
])("a server that %s", async (_, answer, code) => {
  const server = await startRawServer((socket) => socket.write(answer));
  await expect(upstream.describe(endpointOf(server.url))).rejects.toMatchObject({ code });
  expect(server.requests.length).toBeGreaterThan(0);
  await server.close();
});

it.each(["onnx:model.onnx", "ftp://host", "nothing"])("takes no %s", async (url) => {
  await expect(upstream.describe(endpointOf(url))).rejects.toMatchObject({ code: "invalid_request" });
});
