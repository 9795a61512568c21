import { execFile } from "node:child_process";
import type { ServerResponse } from "node:http";
import { loadConfig } from "../../src/config.js";
import { startControl } from "../../src/control/service.js";
import { newId } from "../../src/ids.js";
import { cliMain } from "../../src/paths.js";
import { call, type Sending, silent } from "../control/support.js";
import {
  answer,
  capture,
  description,
  openReplayWorld,
  type Received,
  type ReplayWorld,
  startCandidate,
} from "../replay/support.js";
import { noonMs } from "../store/support.js";

export type ServedWorld = Awaited<ReturnType<typeof openServedWorld>>;

/** A replay world with a control plane over it, which can be ended and started again at the same address. */
export async function openServedWorld() {
  const world = await openReplayWorld();
  const serve = (port: string) =>
    startControl({
      config: loadConfig({ UNDERSTUDY_DATA_DIR: world.folder, UNDERSTUDY_CONTROL_PORT: port }),
      log: silent,
      store: world.store,
      blobs: world.blobs,
      upstream: world.upstream,
    });
  let control = await serve("0");
  const port = String(control.ready.port);
  const origin = `http://127.0.0.1:${port}`;
  return {
    ...world,
    origin,
    call: (method: string, path: string, sending?: Sending) =>
      call(method, `${origin}/api/v1${path}`, sending),
    endControl: () => control.close(),
    async startControl() {
      control = await serve(port);
    },
    async close() {
      await control.close();
      await world.close();
    },
  };
}

/** A V2 candidate: it says that it is ready and what `says` does, and answers requests as `act` does. */
export function startV2Candidate(
  act: (received: Received, response: ServerResponse) => void,
  says: () => object = () => description,
) {
  return startCandidate((received, response) => {
    if (received.path.endsWith("/infer")) act(received, response);
    else {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(says()));
    }
  });
}

/** Answers as the primary did, but for every so manieth input. */
export const wrongFor =
  (isWrong: (x: number) => boolean) =>
  ({ x }: Received, response: ServerResponse): void => {
    response.end(answer(isWrong(x) ? x + 1 : x));
  };

const segmentRows = 250;

/**
 * Recorded traffic of a deployment with one candidate: the input of each request is its number. Its live works are done
 * with, so that only replays are sent.
 */
export async function addRecorded(world: ReplayWorld, n: number, ...urls: string[]) {
  const { deployment, candidates } = await world.addDeployment(...urls);
  const ids: string[] = [];
  for (let first = 0; first < n; first += segmentRows) {
    const captures = Array.from({ length: Math.min(segmentRows, n - first) }, (_, i) => {
      const receivedAtMs = noonMs + (first + i) * 10;
      return capture(first + i, { id: newId(receivedAtMs), receivedAtMs });
    });
    ids.push(...captures.map(({ id }) => id));
    const { workIds } = await world.addSegment(deployment.id, captures);
    await world.prisma.work.deleteMany({ where: { id: { in: workIds } } });
  }
  return { name: deployment.name, deployment, candidates, ids };
}

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `understudy` as a process of its own. */
export function understudy(
  controlUrl: string,
  args: readonly string[],
  { cwd, whileItRuns }: { cwd?: string; whileItRuns?: (pid: number) => void } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, UNDERSTUDY_CONTROL_URL: controlUrl };
    const child = execFile(
      process.execPath,
      [cliMain, ...args],
      { cwd, env, maxBuffer: 2 ** 24 },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 128), stdout, stderr }),
    );
    whileItRuns?.(child.pid!);
  });
}
