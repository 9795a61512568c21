import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { BenchContext } from "./bench.js";

/** A Python process that answers one line of JSON with another. */
export interface PythonPeer {
  ask(request: object): Promise<Record<string, unknown>>;
}

/** Whether `python3` on the PATH has a module. */
export function hasPython(module: string): boolean {
  try {
    execFileSync("python3", ["-c", `import ${module}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Starts a script; it is ended with the benchmark. Requests are answered in turn: ask one at a time. */
export function startPython(script: string, args: readonly string[], { onEnd }: BenchContext): PythonPeer {
  const child = spawn("python3", ["-u", script, ...args], { stdio: ["pipe", "pipe", "pipe"] });
  onEnd(() => child.kill("SIGKILL"));
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2000);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    ask: async (request) => {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${script} ended: ${said}`);
      return JSON.parse(value) as Record<string, unknown>;
    },
  };
}
