/**
 * What becomes of a command whose output cannot be written. A reader that has seen enough (`| head`) changes nothing:
 * the command goes on, and ends with the exit code that it would have had. Output that got lost, as on a full disk, is
 * told on stderr and makes the exit code 2, since a report that nobody got is no verdict.
 */
export function surviveOutputFaults({ stdout, stderr }: Pick<NodeJS.Process, "stdout" | "stderr">): void {
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return;
    stderr.write(`error: the output cannot be written: ${error.message}\n`);
    process.exitCode = 2;
  });
  // There is nowhere left to tell of it.
  stderr.on("error", () => {});
}
