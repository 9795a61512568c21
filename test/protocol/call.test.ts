import { expect, test } from "vitest";
import { callOf, readTarget } from "../../src/protocol/call.js";

test.each([
  ["POST", "/v2/models/m/infer", "m", "infer"],
  ["POST", "/v2/models/m/versions/3/infer?trace=1", "m", "infer"],
  ["POST", "/v2/models/m/generate", "m", "generate"],
  ["POST", "/v2/models/m/versions/3/generate", "m", "generate"],
  ["POST", "/v2/models/m/generate_stream?a=/infer", "m", "generate_stream"],
  ["POST", "/v1/models/m:predict", "m", "predict"],
  ["POST", "/v1/models/m/versions/3:predict?x=1", "m", "predict"],
  ["POST", "/v1/models/a:b:predict", "a:b", "predict"],
  ["POST", "/v2/models/a%20b%2Fc/infer", "a b/c", "infer"],
  ["POST", "/v2/models/a:b/infer", "a:b", "infer"],
  ["POST", "/v2/models/%zz/infer", "%zz", "infer"],
  ["GET", "/v2/models/m/infer", "m", null],
  ["GET", "/v2/models/m/versions/3/ready", "m", null],
  ["GET", "/v2/models/m", "m", null],
  ["GET", "/v1/models/m", "m", null],
  ["POST", "/v1/models/m/infer", "m", null],
  ["POST", "/v2/models/m:predict", "m:predict", null],
  ["POST", "/v1/models/m:explain", "m", null],
  ["POST", "/v2/models/m/trace/setting", "m", null],
  ["POST", "/v2/models/m/infer/more", "m", null],
  ["POST", "/v2/models//infer", "", null],
  ["POST", "/v2/repository/models/m/load", null, null],
  ["GET", "/v2/health/ready", null, null],
  ["POST", "/v3/models/m/infer", null, null],
])("%s %s: model %j, call %j", (method, target, model, call) => {
  expect(readTarget(method, target)).toEqual({ model, call });
});

test("a captured path says what was asked", () => {
  expect(callOf("/v1/models/m:predict")).toBe("predict");
  expect(callOf("/v2/models/m/generate_stream")).toBe("generate_stream");
});
