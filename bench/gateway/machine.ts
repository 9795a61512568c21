import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** The proxy under test has one core to itself; whoever loads it, answers it and stores for it is on the other. */
export const cores = { proxy: 0, rest: 1 } as const;

/** Clock ticks of `/proc` in a second, on every Linux there is. */
const ticksPerSecond = 100;
const pageBytes = 4096;

/** Binds a process with all its threads, and those that they start from now on. */
export function pin(pid: number, core: number): void {
  execFileSync("taskset", ["--all-tasks", "--pid", "--cpu-list", String(core), String(pid)], {
    stdio: "ignore",
  });
}

/**
 * Processor seconds that a process has used so far, with all its threads and all its descendants, those that have ended
 * included.
 */
export function cpuSecondsOf(pid: number): number {
  // Its own in user and system mode, and those of children that it has waited for.
  const ticks = (fields: string[]) => [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0);
  return sumOf(pid, ticks) / ticksPerSecond;
}

/** Resident bytes of a process and all its descendants. */
export function residentBytesOf(pid: number): number {
  return sumOf(pid, (fields) => Number(fields[21])) * pageBytes;
}

/** @param pick given the fields of `/proc/PID/stat` that follow the name, the state being the first */
function sumOf(root: number, pick: (fields: string[]) => number): number {
  const stats = new Map<number, string[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const text = readFileSync(`/proc/${entry}/stat`, "latin1");
      stats.set(Number(entry), text.slice(text.lastIndexOf(")") + 2).split(" "));
    } catch {
      // It ended while we were looking.
    }
  }
  let sum = 0;
  const wanted = new Set([root]);
  // A set that grows while it is walked: children of children are found in turn.
  for (const pid of wanted) {
    const fields = stats.get(pid);
    if (fields === undefined) continue;
    sum += pick(fields);
    for (const [child, [, parent]] of stats) if (Number(parent) === pid) wanted.add(child);
  }
  return sum;
}
