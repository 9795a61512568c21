import { afterAll, beforeAll, expect, test } from "vitest";
import { replayWork } from "../../src/replay/replay-work.js";
import { capture, openReplayWorld, type ReplayWorld, startCandidate } from "./support.js";

let world: ReplayWorld;
beforeAll(async () => {
  world = await openReplayWorld();
});
afterAll(() => world.close());

const json = { "content-type": "application/json" };
const eventStream = { "content-type": "text/event-stream" };
const event = (text_output: string, model_version = "1") =>
  `data: ${JSON.stringify({ model_name: "m", model_version, text_output })}\n\n`;

// Each row: the captured path, where the candidate is asked, its answer, what comes of it.
test.each([
  [
    "/v2/models/digits/generate",
    /^\/v2\/models\/.+\/generate$/,
    json,
    '{"model_name":"m","text_output":"yes","score":0.5}',
    '{"score":0.500000001,"text_output":"yes","model_version":"2"}',
    { result: "match", kind: null },
  ],
  [
    "/v2/models/digits/versions/1/generate",
    /\/generate$/,
    json,
    '{"text_output":"yes"}',
    '{"text_output":"no"}',
    { result: "mismatch", kind: "value" },
  ],
  [
    "/v2/models/digits/generate_stream",
    /\/generate_stream$/,
    eventStream,
    event("Hello ") + event("there"),
    event("Hel", "2") + event("lo there", "2"),
    { result: "match", kind: null },
  ],
  [
    "/v2/models/digits/generate_stream",
    /\/generate_stream$/,
    eventStream,
    event("Hello ") + event("there"),
    event("Hello ") + event("you"),
    { result: "mismatch", kind: "value" },
  ],
  [
    "/v2/models/digits/generate_stream",
    /\/generate_stream$/,
    eventStream,
    event("Hello"),
    '{"text_output":"Hello"}',
    { result: "mismatch", kind: "undecodable" },
  ],
  [
    "/v1/models/digits:predict",
    /^\/v1\/models\/.+:predict$/,
    json,
    '{"predictions":[[0.25,0.75]]}',
    '{"predictions":[[0.25,0.5]]}',
    { result: "mismatch", kind: "value", maxAbs: 0.25 },
  ],
  [
    "/v1/models/digits/versions/1:predict",
    /:predict$/,
    json,
    '{"predictions":[[0.25,0.75]]}',
    '{"predictions":[[0.25,0.75],[1,0]]}',
    { result: "mismatch", kind: "shape" },
  ],
])("%s is replayed to %s, and judged as such", async (path, asked, headers, primary, candidate, wanted) => {
  const server = await startCandidate((_, response) => response.writeHead(200, headers).end(candidate));
  const { deployment } = await world.addDeployment(server.url);
  const body = { requestBody: Buffer.from('{"instances":[1],"text_input":"hi"}') };
  const captured = capture(1, {
    path,
    ...body,
    responseHeaders: headers,
    responseBody: Buffer.from(primary),
  });
  const { workId } = await world.addSegment(deployment.id, [captured]);
  await replayWork(world.worker(), workId, new AbortController().signal);
  await server.close();
  expect(server.received.map((one) => one.path)).toEqual([expect.stringMatching(asked)]);
  expect(server.received[0]!.body.toString()).toBe(body.requestBody.toString());
  expect(await world.outcomes(workId)).toMatchObject([{ disposition: "compared", ...wanted }]);
});
