import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { BenchContext } from "../bench.js";
import { pin } from "./machine.js";

export interface Nginx {
  /** Of the master, whose child is the one worker. */
  readonly pid: number;
}

export function hasNginx(): boolean {
  return spawnSync("nginx", ["-v"], { stdio: "ignore" }).status === 0;
}

/**
 * Starts nginx with one worker, as one who cares for speed sets it up: connections kept for ever, bodies of up to a
 * megabyte in memory, no access log. Resolves when it listens.
 *
 * @param options.http what goes into the `http` block
 * @param options.port one that it will listen at
 */
export async function startNginx(
  options: { folder: string; name: string; http: string; port: number; core: number },
  { onEnd }: BenchContext,
): Promise<Nginx> {
  const folder = join(options.folder, options.name);
  await mkdir(folder);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join("\n  ");
  await writeFile(
    join(folder, "nginx.conf"),
    `worker_processes 1;
daemon off;
pid ${folder}/pid;
error_log ${folder}/error.log error;
events { worker_connections 4096; }
http {
  access_log off;
  default_type application/json;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_max_body_size 64m;
  client_body_buffer_size 1m;
  ${temporary}
  ${options.http}
}
`,
  );
  const child = spawn("nginx", ["-c", join(folder, "nginx.conf"), "-p", folder], { stdio: "ignore" });
  onEnd(() => stop(child));
  pin(child.pid!, options.core);
  await listening(options.port, child);
  return { pid: child.pid! };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  // The master ends its worker at once.
  child.kill("SIGTERM");
  await exited;
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (open) return;
    await sleep(20);
  }
  throw new Error(`nginx did not start: exit code ${child.exitCode}`);
}
