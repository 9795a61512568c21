import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";

/** A disk of its own, so small that it fills. */
export interface SmallDisk {
  grow(bytes: number): void;
  unmount(): void;
}

/** Mounts one at the folder, which needs root on Linux. null: it cannot be had here, which it says. */
export function mountSmallDisk(folder: string, bytes: number): SmallDisk | null {
  mkdirSync(folder, { recursive: true });
  const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: "pipe" });
  try {
    run("mount", "-t", "tmpfs", "-o", `size=${bytes}`, "understudy-test", folder);
  } catch {
    process.stderr.write(
      "no disk can be mounted here: left out what needs a full one (run as root on Linux)\n",
    );
    return null;
  }
  return {
    grow: (to) => void run("mount", "-o", `remount,size=${to}`, folder),
    unmount: () => void run("umount", "-l", folder),
  };
}
