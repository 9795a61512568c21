import { spawn, spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BenchContext } from "../bench.js";
import { cores } from "./machine.js";

/** What a closed loop of clients sends, over and over, and what they must be answered. */
export interface Shot {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly answer: string;
}

export function hasWrk(): boolean {
  return spawnSync("wrk", ["-v"], { stdio: "ignore" }).error === undefined;
}

/**
 * wrk stops by the clock and leaves requests under way, which would make counts differ; so this script lets it send a
 * set number of requests, checks each answer to the last byte, and ends the process when the last one is there.
 */
const script = `
local ffi = require("ffi")
ffi.cdef[[ struct tv { long s; long us; }; int gettimeofday(struct tv*, void*); void _exit(int); ]]
local function now()
  local tv = ffi.new("struct tv")
  ffi.C.gettimeofday(tv, nil)
  return tonumber(tv.s) + tonumber(tv.us) / 1e6
end
local function read(name)
  local file = io.open(os.getenv("SHOT") .. "/" .. name, "rb")
  local text = file:read("*a")
  file:close()
  return text
end
wrk.method = "POST"
wrk.body = read("body")
for name, value in string.gmatch(read("headers"), "([^\\n:]+): ([^\\n]+)") do wrk.headers[name] = value end
local answer = read("answer")
local count = tonumber(os.getenv("COUNT"))
local begun, ended, wrong, from = 0, 0, 0, 0
function delay()
  if begun == 0 then from = now() end
  if begun == count then return 1000000 end
  begun = begun + 1
  return 0
end
function response(status, headers, body)
  ended = ended + 1
  if status ~= 200 or body ~= answer then wrong = wrong + 1 end
  if ended == count then
    io.write(string.format("ended %d wrong %d seconds %.6f\\n", ended, wrong, now() - from))
    io.flush()
    ffi.C._exit(0)
  end
end
`;

const roundSecondsMax = 60;

/** Sends `count` requests, each client its next one when it has its answer. */
export interface Wrk {
  /** @returns seconds from the first request to the last answer. @throws when an answer was wrong or missing */
  run(port: number, count: number, connections: number): Promise<number>;
}

/** @param folder to be made, for what wrk reads */
export async function prepareWrk(folder: string, shot: Shot, { onEnd }: BenchContext): Promise<Wrk> {
  await mkdir(folder);
  const headers = Object.entries(shot.headers).map(([name, value]) => `${name}: ${value}\n`);
  await writeFile(join(folder, "headers"), headers.join(""));
  await writeFile(join(folder, "body"), shot.body);
  await writeFile(join(folder, "answer"), shot.answer);
  const scriptPath = join(folder, "wrk.lua");
  await writeFile(scriptPath, script);
  let running: ReturnType<typeof spawn> | null = null;
  onEnd(() => running?.kill("SIGKILL"));

  return {
    async run(port, count, connections) {
      const url = `http://127.0.0.1:${port}${shot.path}`;
      const args = [
        "-t1",
        `-c${connections}`,
        `-d${roundSecondsMax}`,
        "--timeout",
        "30s",
        "-s",
        scriptPath,
        url,
      ];
      const child = spawn("taskset", ["--cpu-list", String(cores.rest), "wrk", ...args], {
        env: { ...process.env, SHOT: folder, COUNT: String(count) },
        stdio: ["ignore", "pipe", "pipe"],
      });
      running = child;
      let said = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          said += text;
        });
      }
      await new Promise((resolve) => child.once("close", resolve));
      const [, ended, wrong, seconds] = /ended (\d+) wrong (\d+) seconds ([\d.]+)/.exec(said) ?? [];
      if (Number(ended) !== count || wrong !== "0") throw new Error(`not all answers were right: ${said}`);
      return Number(seconds);
    },
  };
}
