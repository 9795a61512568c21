import { type Child, startChild } from "../../src/process/child.js";
import type { ReplayWorld } from "../replay/support.js";

/** Starts `understudy worker` as its user starts it, over the world's database and blobs. */
export function startWorker(world: ReplayWorld, over: NodeJS.ProcessEnv = {}): Promise<Child> {
  return startChild(["worker"], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: world.url,
      UNDERSTUDY_BLOBS: `file:${world.folder}`,
      UNDERSTUDY_LOG_LEVEL: "error",
      ...over,
    },
  });
}
