import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { platform } from "node:os";

/**
 * Tells a process from a later one that was given the same pid: the pid and when it started. Null when there is no
 * such process.
 */
export function processIdentity(pid: number): string | null {
  try {
    if (platform() === "linux") {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      // The name, in parentheses, may hold spaces; state is the first field after it, the start the twentieth.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const [state, start] = [fields[0], fields[19]];
      return state === "Z" || state === "X" ? null : `${pid}-${start}`;
    }
    const started = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" });
    return `${pid}-${Date.parse(started.trim())}`;
  } catch {
    return null;
  }
}

/** The command line of a process; null when there is no such process. */
export function processCommand(pid: number): string | null {
  try {
    return platform() === "linux"
      ? readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
      : execFileSync("ps", ["-ww", "-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    return null;
  }
}
