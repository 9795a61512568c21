import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { startControl } from "../../src/control/service.js";
import { cliMain } from "../../src/paths.js";
import { startChild } from "../../src/process/child.js";
import { createUpstream } from "../../src/upstream/client.js";
import { createTestDatabase } from "../support/database.js";
import { call, closed, listening, openControl, silent } from "./support.js";

const settings = { ...process.env, UNDERSTUDY_CONTROL_PORT: "0", UNDERSTUDY_LOG_LEVEL: "warn" };

/** Runs `understudy control` until it ends by itself. */
async function run(env: NodeJS.ProcessEnv): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [cliMain, "control"], { env, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { code, stderr };
}

test("the process serves until it is told to end", async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const child = await startChild(["control"], { env: { ...settings, DATABASE_URL: database.url } });
  onTestFinished(() => child.stop());
  const url = String(child.ready.url);
  expect((await call("GET", `${url}/readyz`)).status).toBe(200);
  expect((await call("GET", `${url}/api/v1/deployments`)).body).toEqual({ items: [], nextCursor: null });
  await child.stop();
  expect(await child.exited).toBe(0);
});

test("what keeps it from starting is said, with the next step, and exit code 2", async () => {
  const without = await run({ ...settings, DATABASE_URL: "" });
  expect(without).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/DATABASE_URL[\s\S]*understudy up/),
  });

  const empty = await createTestDatabase({ empty: true });
  onTestFinished(() => empty.drop());
  const unmigrated = await run({ ...settings, DATABASE_URL: empty.url });
  expect(unmigrated).toMatchObject({ code: 2, stderr: expect.stringMatching(/understudy migrate/) });

  const down = await run({ ...settings, DATABASE_URL: "postgres://127.0.0.1:9/none" });
  expect(down.code).toBe(2);
  expect(down.stderr).not.toMatch(/^\s+at /m);
});

test("a port in use is named", async () => {
  const other = createServer();
  const controlPort = Number(new URL(await listening(other)).port);
  onTestFinished(() => closed(other));
  const control = await openControl();
  onTestFinished(() => control.close());
  const upstream = createUpstream(control);
  onTestFinished(() => upstream.close());
  const config = { ...control.config, controlPort };
  await expect(startControl({ ...control, config, log: silent, upstream })).rejects.toMatchObject({
    code: "port_in_use",
    message: expect.stringContaining(String(controlPort)),
  });
});

test("a request in hand is answered before the service is closed", async () => {
  const control = await openControl();
  const slow = createServer(
    (_request, response) => void setTimeout(() => response.writeHead(404).end(), 300),
  );
  const url = await listening(slow);
  onTestFinished(() => closed(slow));
  const asked = new Promise<void>((resolve) => slow.once("request", () => resolve()));
  const answer = control.call("POST", "/deployments", { body: { name: "late", primary: { url } } });
  await asked;
  await control.close();
  expect((await answer).body).toMatchObject({ status: 422, code: "endpoint_not_v2" });
});
