import { expect, test } from "vitest";
import { modelEnvironment } from "../../src/model-server/environment.js";

test("a process that loads a model file learns no secret, no database, and no public address", () => {
  const given = { PATH: "/bin", CUDA_VISIBLE_DEVICES: "0", UNDERSTUDY_LOG_LEVEL: "warn" };
  const withheld = {
    DATABASE_URL: "postgresql://u:p@h/d",
    REDIS_URL: "redis://h",
    UNDERSTUDY_SECRET_TOKEN: "t",
    UNDERSTUDY_HOST: "0.0.0.0",
    AWS_SECRET_ACCESS_KEY: "k",
  };
  expect(modelEnvironment({ ...given, ...withheld })).toEqual(given);
});
