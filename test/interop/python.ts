import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";

/**
 * Whether `python3` on the PATH can import `modules`. If not, says in one line what is left out; in CI that is an error.
 */
export function requirePython(...modules: string[]): boolean {
  try {
    execFileSync("python3", ["-c", modules.map((name) => `import ${name}`).join("\n")], { stdio: "pipe" });
    return true;
  } catch {
    const what = `python3 with ${modules.join(", ")} is not there: left out what needs it (pip install -r test/interop/requirements.txt)`;
    if (process.env.CI) throw new Error(what);
    process.stderr.write(`${what}\n`);
    return false;
  }
}

/** Runs a Python script and returns its stdout. */
export async function runPython(args: string[], { timeoutMs = 120_000 } = {}): Promise<string> {
  const { stdout } = await promisify(execFile)("python3", args, {
    timeout: timeoutMs,
    maxBuffer: 64 * 1024 ** 2,
  });
  return stdout;
}
