import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../queue/redis.js";

/** What the AWS SDK is told of the server, as its users tell it: by the environment. */
export interface S3Server {
  url: string;
  bucket: string;
  env: Record<string, string>;
  process: ChildProcess;
  stop(): Promise<void>;
}

/** Whether an S3-compatible server, Versity's gateway over a folder, is on the PATH; in CI it must be. */
export function s3ServerThere(): boolean {
  try {
    execFileSync("versitygw", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    if (process.env.CI === "true") throw new Error("versitygw is not on the PATH");
    console.warn(
      "left out: blobs in S3 (no versitygw on the PATH; go install github.com/versity/versitygw/cmd/versitygw)",
    );
    return false;
  }
}

/** Starts one on a free port, with one empty bucket. */
export async function startS3Server(): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), "understudy-s3-"));
  const bucket = "understudy";
  // A folder at the top is a bucket; descriptions of objects lie beside, since not every file system can hold them.
  await mkdir(join(folder, "data", bucket), { recursive: true });
  await mkdir(join(folder, "sidecar"));
  const url = `http://127.0.0.1:${await freePort()}`;
  const env = {
    AWS_ENDPOINT_URL: url,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "understudy",
    AWS_SECRET_ACCESS_KEY: "not-a-secret",
  };
  const child = spawn(
    "versitygw",
    [
      ...[
        "--port",
        new URL(url).host,
        "--access",
        env.AWS_ACCESS_KEY_ID,
        "--secret",
        env.AWS_SECRET_ACCESS_KEY,
      ],
      ...["--quiet", "--keep-alive", "posix", "--sidecar", join(folder, "sidecar"), join(folder, "data")],
    ],
    { stdio: "ignore" },
  );
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  for (let attempt = 0; ; attempt++) {
    const up = await fetch(url).then(
      () => true,
      () => false,
    );
    if (up) break;
    if (attempt > 300 || child.exitCode !== null) throw new Error("versitygw did not come up");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    bucket,
    env,
    process: child,
    async stop() {
      child.kill("SIGKILL");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
