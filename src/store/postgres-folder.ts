import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { lchown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { UnderstudyError } from "../errors.js";
import { processIdentity } from "../process/identity.js";
import { commandOf, type PostgresBinaries, postgresEnvironment } from "./postgres-binaries.js";

const run = promisify(execFile);

/** The only role of the embedded Postgres; nobody but us connects to it. */
export const embeddedUser = "understudy";

/**
 * Where the embedded Postgres keeps its things: `data`, the `password` (readable by its owner only), and its log.
 * Made at the first start, in full or not at all: it is prepared under another name and then renamed.
 *
 * @param folder absolute.
 * @returns the password.
 */
export async function preparePostgresFolder(folder: string, binaries: PostgresBinaries): Promise<string> {
  const passwordFile = join(folder, "password");
  if (!(await exists(passwordFile))) await initialise(folder, binaries);
  await handOver(join(folder, "data"), binaries.owner);
  return (await readFile(passwordFile, "utf8")).trim();
}

async function initialise(folder: string, binaries: PostgresBinaries): Promise<void> {
  await sweepDrafts(folder);
  const draft = `${folder}.new-${process.pid}`;
  await mkdir(draft, { mode: 0o700 });
  const passwordFile = join(draft, "password");
  await writeFile(passwordFile, `${randomBytes(18).toString("base64url")}\n`, { mode: 0o600 });
  const [command, args] = commandOf(binaries.prefix, binaries.initdb, [
    `--pgdata=${join(draft, "data")}`,
    `--username=${embeddedUser}`,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    // The same order and case rules on every machine, whatever its locales.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
  ]);
  try {
    await run(command, args, { env: postgresEnvironment, cwd: "/", timeout: 120_000 });
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process was faster: its folder is as good.
    if (await exists(join(folder, "password"))) return;
    const said = (error as { stderr?: string }).stderr?.trim();
    throw new UnderstudyError("child_failed", `The embedded Postgres could not be set up in ${folder}.`, {
      hint: said || "Check that the folder belongs to you: an earlier run may have been another user's.",
      cause: error,
    });
  }
}

/** Removes what processes that ended halfway left. */
async function sweepDrafts(folder: string): Promise<void> {
  for (const name of await readdir(dirname(folder))) {
    const pid = Number(new RegExp(`^${basename(folder)}\\.new-(\\d+)$`).exec(name)?.[1]);
    if (Number.isNaN(pid) || (pid !== process.pid && processIdentity(pid) !== null)) continue;
    await rm(join(dirname(folder), name), { recursive: true, force: true });
  }
}

/** Postgres runs only on a folder it owns; root may have to run it as another user than the last time. */
async function handOver(path: string, owner: { uid: number; gid: number }): Promise<void> {
  if (process.getuid?.() !== 0 || (await stat(path)).uid === owner.uid) return;
  for (const entry of await readdir(path, { recursive: true })) {
    await lchown(join(path, entry), owner.uid, owner.gid);
  }
  // The folder itself last: it is what tells that all of it was handed over.
  await lchown(path, owner.uid, owner.gid);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
