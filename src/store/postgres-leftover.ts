import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";
import { processCommand, processIdentity } from "../process/identity.js";

/** A setting on the server's command line that names the process which started it (see `processIdentity`). */
export const ownerSetting = "understudy.owner";

/**
 * Makes way for a new server on `data` (an absolute path without links): one whose owner was killed is stopped; one whose owner lives is left alone.
 * The claim is on the server's own command line and its pid in its own lock file, so there is no moment in which a
 * server runs unclaimed.
 *
 * @throws UnderstudyError `conflict` when another process of Understudy uses the folder.
 */
export async function clearLeftover(data: string, log: Logger): Promise<void> {
  const lockFile = join(data, "postmaster.pid");
  const pid = Number((await readFile(lockFile, "utf8").catch(() => "")).split("\n")[0]);
  if (!Number.isInteger(pid) || pid <= 1) return;
  const command = processCommand(pid);
  if (command === null) return; // Postgres itself replaces the lock file of a process that is gone.
  const owner = new RegExp(`${ownerSetting}=(\\d+)-\\d+`).exec(command);
  if (owner === null || !command.includes(` -D ${data} `)) {
    // After a reboot, or in a new container, the pid may be another process's, and Postgres would not start. Only a
    // server that a person started by hand is left to Postgres' own check.
    if (owner !== null || !command.includes("postgres")) await rm(lockFile, { force: true });
    return;
  }
  const ownerPid = Number(owner[1]);
  if (`${ownerSetting}=${processIdentity(ownerPid)}` === owner[0]) {
    throw new UnderstudyError("conflict", `Another Understudy (process ${ownerPid}) uses ${data}.`, {
      hint: "Stop it first, or give this one another folder with UNDERSTUDY_DATA_DIR, or a DATABASE_URL.",
      details: { pid: ownerPid },
    });
  }
  log.warn({ postgresPid: pid }, "stopping a Postgres that an earlier run left behind");
  await stopServer(pid);
}

/**
 * Stops a server and waits until it is gone: fast shutdown first (connections end, data is flushed), then immediate
 * (the next start recovers from the log), then by force. Takes at most about 7 s.
 */
export async function stopServer(pid: number): Promise<void> {
  const identity = processIdentity(pid);
  if (identity === null) return;
  const steps = [
    { signal: "SIGINT", waitMs: 4_000 },
    { signal: "SIGQUIT", waitMs: 2_000 },
    { signal: "SIGKILL", waitMs: 1_000 },
  ] as const;
  for (const { signal, waitMs } of steps) {
    try {
      process.kill(pid, signal);
    } catch {
      return; // gone in between
    }
    for (let waitedMs = 0; waitedMs < waitMs; waitedMs += 20) {
      await sleep(20);
      if (processIdentity(pid) !== identity) return;
    }
  }
}
