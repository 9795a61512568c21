import { randomUUID } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

/**
 * Who holds a part of the spool. Each capture side has a folder of its own, which says who it is; within it lies one
 * folder for its epoch, and one for each epoch that it took over from a holder that is no more. Taking over is a
 * rename, so of two that try only one succeeds.
 */
interface HolderIdentity {
  host: string;
  bootId: string;
  /** In which a pid means what it says: containers of one machine may share a spool. Empty where the system does not say. */
  pidNamespace: string;
  pid: number;
  /** Tells a process from a later one with the same pid; empty where the system does not say. */
  started: string;
}

const identityFile = "holder.json";
/** A holder on another machine, or in another pid namespace, counts as gone when it has been silent for this long. */
const silentMs = 60_000;

export interface Holder {
  /** Where epochs lie: `FOLDER/EPOCH`. */
  readonly folder: string;
  /** Says that it is still there; to be called every few seconds. */
  beat(): void;
  /**
   * Takes over the epochs of holders that are no more. Returns their folders.
   * @param ended holders of this process that are known to be gone
   */
  adopt(ended?: ReadonlySet<string>): string[];
  /** Removes the folder if nothing is left in it. */
  close(): void;
}

/**
 * @param name a name that no other holder ever has: the id of its epoch
 * @param clock monotonic milliseconds
 */
export function createHolder(root: string, name: string, clock: () => number): Holder {
  const folder = join(root, name);
  const identityPath = join(folder, identityFile);
  // Made aside, so that no other ever sees a folder that does not say whose it is.
  const aside = join(root, `.${randomUUID()}`);
  try {
    mkdirSync(aside, { recursive: true, mode: 0o700 });
    writeFileSync(join(aside, identityFile), JSON.stringify(identityOf(process.pid)));
    renameSync(aside, folder);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    throw error;
  }
  /** The newest beats of holders that only their silence tells of, and when we first saw each. */
  const heard = new Map<string, { beatMs: number; atMs: number }>();

  /** Silence is measured by our clock alone: theirs may be set otherwise, and either may be set anew. */
  function isSilent(other: string): boolean {
    const beatMs = statSync(join(root, other, identityFile)).mtimeMs;
    const last = heard.get(other);
    if (last?.beatMs === beatMs) return clock() - last.atMs >= silentMs;
    heard.set(other, { beatMs, atMs: clock() });
    return false;
  }

  function isAlive(other: string): boolean {
    try {
      const holder = JSON.parse(readFileSync(join(root, other, identityFile), "utf8")) as HolderIdentity;
      const here = identityOf(holder.pid);
      if (holder.host !== here.host) return !isSilent(other);
      if (holder.bootId !== here.bootId) return false;
      if (holder.pidNamespace !== here.pidNamespace) return !isSilent(other);
      if (holder.started !== here.started) return false;
      process.kill(holder.pid, 0);
      return true;
    } catch (error) {
      // Another user's process may be there and not be ours to signal.
      return (error as NodeJS.ErrnoException).code === "EPERM";
    }
  }

  return {
    folder,

    beat() {
      const now = new Date();
      utimesSync(identityPath, now, now);
    },

    adopt(ended = new Set()) {
      const adopted: string[] = [];
      const others = new Set(readdirSync(root));
      for (const gone of heard.keys()) if (!others.has(gone)) heard.delete(gone);
      for (const other of others) {
        if (other === name || other.startsWith(".")) continue;
        if (!ended.has(other) && isAlive(other)) continue;
        adopted.push(...takeOver(join(root, other), folder));
      }
      return adopted;
    },

    close() {
      const left = readdirSync(folder).filter((entry) => entry !== identityFile);
      if (left.length === 0) rmSync(folder, { recursive: true, force: true });
    },
  };
}

function takeOver(from: string, to: string): string[] {
  const taken: string[] = [];
  for (const epoch of listFolder(from)) {
    if (epoch === identityFile) continue;
    try {
      renameSync(join(from, epoch), join(to, epoch));
      taken.push(join(to, epoch));
    } catch (error) {
      // Another was faster.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  rmSync(from, { recursive: true, force: true });
  return taken;
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** How a process with this pid would identify itself here and now. */
function identityOf(pid: number): HolderIdentity {
  return {
    host: hostname(),
    bootId: readText("/proc/sys/kernel/random/boot_id"),
    pidNamespace: pidNamespace(),
    pid,
    started: startOf(pid),
  };
}

function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

/** When a process started, in clock ticks since boot: field 22 of its `stat`, the 20th after its name. */
function startOf(pid: number): string {
  const stat = readText(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}
