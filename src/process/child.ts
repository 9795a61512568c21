import { type ChildProcess, fork } from "node:child_process";
import { UnderstudyError } from "../errors.js";
import { cliMain } from "../paths.js";

/** A child process that said it was ready. */
export interface Child {
  readonly process: ChildProcess;
  readonly ready: Readonly<Record<string, string | number>>;
  /** Resolves when the process has ended, with its exit code or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** SIGTERM, then SIGKILL after `graceMs`; resolves when the process is gone. */
  stop(graceMs?: number): Promise<void>;
}

/**
 * Starts `understudy ARGS…` as a child process and waits until it announces itself (see `serve`). The child ends by
 * itself when this process dies. Its stderr is this process's stderr, so what it says last is seen by whoever sees this
 * process's; its stdout is not used.
 *
 * @param options.signal stops it while it is starting
 * @throws UnderstudyError `child_failed` when it ends, or says nothing for `readyMs`, before it is ready; the signal's
 *   reason when that aborts. It is gone then.
 */
export async function startChild(
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; readyMs?: number; signal?: AbortSignal } = {},
): Promise<Child> {
  const { env, readyMs = 60_000, signal } = options;
  signal?.throwIfAborted();
  const child = fork(cliMain, args, {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    // A process group of its own: Ctrl-C in a terminal reaches only the top, which then closes its children in order.
    detached: true,
    ...(env ? { env } : {}),
    execArgv: [],
  });
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? signal ?? 0));
  });

  const stop = async (graceMs = 7_000): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    const kill = setTimeout(() => child.kill("SIGKILL"), graceMs);
    await exited;
    clearTimeout(kill);
  };

  let timer: NodeJS.Timeout | undefined;
  let abandon = () => {};
  const announced = new Promise<Child["ready"]>((resolve, reject) => {
    child.once("message", (message: { ready: Child["ready"] }) => resolve(message.ready));
    child.once("error", reject);
    abandon = () => reject(signal?.reason);
    signal?.addEventListener("abort", abandon);
    timer = setTimeout(
      () =>
        reject(
          new UnderstudyError("child_failed", `understudy ${args[0]} was not ready after ${readyMs} ms`),
        ),
      readyMs,
    );
    void exited.then((code) =>
      reject(
        new UnderstudyError("child_failed", `understudy ${args[0]} ended before it was ready (${code})`, {
          details: { exit: code },
        }),
      ),
    );
  });
  try {
    return { process: child, ready: await announced, exited, stop };
  } catch (error) {
    await stop(1_000);
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abandon);
  }
}
