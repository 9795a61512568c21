import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, cp, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { packageRoot } from "../../src/paths.js";
import { processIdentity } from "../../src/process/identity.js";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/store/embedded-postgres.js";
import { findPostgres, waysForRoot } from "../../src/store/postgres-binaries.js";
import { preparePostgresFolder } from "../../src/store/postgres-folder.js";
import { onServer } from "../support/postgres.js";

const log = pino({ level: "silent" });
const isRoot = process.getuid?.() === 0;
let dataDir: string;
let cleanUp: (() => Promise<unknown>)[];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "understudy-embedded-"));
  cleanUp = [() => rm(dataDir, { recursive: true, force: true })];
});

afterEach(async () => {
  for (const step of cleanUp.reverse()) await step();
});

async function start(folder = dataDir): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir: folder, log });
  cleanUp.push(server.close);
  return server;
}

/** Starts a process that owns an embedded Postgres; `message` is what it says first. */
async function startOwner(
  folder = dataDir,
  options: { uid?: number; gid?: number } = {},
): Promise<{ owner: ChildProcess; message: Record<string, string> }> {
  const module = join(packageRoot, "dist/src/store/embedded-postgres.js");
  const script = join(packageRoot, "test/support/postgres-owner.mjs");
  const owner = fork(script, [module, folder], { detached: true, ...options });
  cleanUp.push(async () => {
    if (owner.exitCode === null && owner.signalCode === null) {
      owner.kill("SIGINT");
      await once(owner, "exit");
    }
  });
  const ended = once(owner, "exit").then(([code]) => [{ message: `the owner ended with ${code}` }]);
  const [message] = (await Promise.race([once(owner, "message"), ended])) as [Record<string, string>];
  return { owner, message };
}

async function kill(owner: ChildProcess): Promise<void> {
  const exited = once(owner, "exit");
  owner.kill("SIGKILL");
  await exited;
}

/** Whether an ordinary user can run what is in this checkout at all. Says in one line what is left out if not. */
function othersMayRead(file: string): boolean {
  if (!isRoot || spawnSync("test", ["-r", file], { uid: 65_534, gid: 65_534 }).status === 0) return true;
  const what = `the embedded Postgres as an ordinary user (only root can read this checkout, ${packageRoot})`;
  if (process.env.CI) throw new Error(`${what} cannot be tested`);
  process.stderr.write(`left out: ${what}\n`);
  return false;
}

const ask = async (url: string, sql: string) => (await onServer(url, (client) => client.query(sql))).rows;

const postmasterPid = async (folder = dataDir) =>
  Number((await readFile(join(folder, "postgres/data/postmaster.pid"), "utf8")).split("\n")[0]);

describe("embedded Postgres", () => {
  test("keeps its data and its password over a restart, and ends when closed", async () => {
    const first = await start();
    await ask(first.url, "CREATE TABLE kept AS SELECT 42 AS n");
    const pid = await postmasterPid();
    await first.close();
    expect(processIdentity(pid)).toBeNull();

    const second = await start();
    expect(await ask(second.url, "SELECT n FROM kept")).toEqual([{ n: 42 }]);
    expect(new URL(second.url).password).toBe(new URL(first.url).password);
  });

  test("is set up for durability, for this machine only, in UTC", async () => {
    const { url } = await start();
    const names = ["fsync", "full_page_writes", "listen_addresses", "TimeZone", "unix_socket_directories"];
    const columns = names.map((name) => `current_setting('${name}') AS "${name}"`).join(", ");
    expect(await ask(url, `SELECT ${columns}`)).toEqual([
      {
        fsync: "on",
        full_page_writes: "on",
        listen_addresses: "127.0.0.1",
        TimeZone: "UTC",
        unix_socket_directories: "",
      },
    ]);
    for (const [path, mode] of [
      ["postgres", 0o700],
      ["postgres/password", 0o600],
      ["postgres/postgres.log", 0o600],
    ] as const) {
      expect((await stat(join(dataDir, path))).mode & 0o777, path).toBe(mode);
    }
    const stranger = Object.assign(new URL(url), { password: "guess" }).href;
    await expect(ask(stranger, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
  });

  test("is started again on its port when it is killed, with its data", async () => {
    const { url, close } = await start();
    await ask(url, "CREATE TABLE kept AS SELECT 42 AS n");
    const killed = await postmasterPid();
    process.kill(killed, "SIGKILL");
    await vi.waitFor(() => expect(processIdentity(killed)).toBeNull(), 30_000);
    await vi.waitFor(async () => expect(await ask(url, "SELECT n FROM kept")).toEqual([{ n: 42 }]), 30_000);
    const again = await postmasterPid();
    expect(again).not.toBe(killed);
    await close();
    expect(processIdentity(again)).toBeNull();
  });

  test("two folders at once do not disturb each other", async () => {
    const [a, b] = await Promise.all([start(join(dataDir, "a")), start(join(dataDir, "with space"))]);
    await ask(a.url, "CREATE TABLE mine (n int)");
    expect(await ask(b.url, "SELECT to_regclass('mine') AS mine")).toEqual([{ mine: null }]);
    expect(new URL(a.url).password).not.toBe(new URL(b.url).password);
  });

  test("a folder in use, by whatever path, is a conflict, and its user is not disturbed", async () => {
    const { owner, message } = await startOwner();
    const link = `${dataDir}-link`;
    await symlink(dataDir, link);
    cleanUp.push(() => rm(link));
    for (const folder of [dataDir, link]) {
      await expect(startEmbeddedPostgres({ dataDir: folder, log })).rejects.toMatchObject({
        code: "conflict",
        message: expect.stringContaining(String(owner.pid)),
        hint: expect.stringContaining("UNDERSTUDY_DATA_DIR"),
      });
    }
    expect(await ask(message.url!, "SELECT 1 AS n")).toEqual([{ n: 1 }]);
  });

  test("of two first starts at once on one folder, one wins and the other is told so", async () => {
    const answers = (await Promise.all([startOwner(), startOwner()])).map(({ message }) => message);
    expect(answers.filter((answer) => answer.url)).toHaveLength(1);
    expect(answers.filter((answer) => answer.code === "conflict")).toHaveLength(1);
    expect(await readdir(dataDir)).toEqual(["postgres"]);
  });

  test("one that a killed process left behind is stopped, and its data is there", async () => {
    const { owner, message } = await startOwner();
    await ask(message.url!, "CREATE TABLE kept AS SELECT 7 AS n");
    const leftover = await postmasterPid();
    await kill(owner);
    expect(processIdentity(leftover)).not.toBeNull();

    const { url } = await start();
    expect(processIdentity(leftover)).toBeNull();
    expect(await ask(url, "SELECT n FROM kept")).toEqual([{ n: 7 }]);
  });

  test("what was committed survives the sudden death of Postgres and its owner", async () => {
    const { owner, message } = await startOwner();
    await ask(message.url!, "CREATE TABLE kept AS SELECT 8 AS n");
    process.kill(await postmasterPid(), "SIGKILL");
    await kill(owner);
    const { url } = await start();
    expect(await ask(url, "SELECT n FROM kept")).toEqual([{ n: 8 }]);
  });

  test("a lock file whose pid is another process's now does not bar the start", async () => {
    const first = await start();
    const lockFile = join(dataDir, "postgres/data/postmaster.pid");
    const lock = await readFile(lockFile, "utf8");
    await first.close();
    await writeFile(lockFile, lock.replace(/^\d+/, String(process.ppid)));
    const second = await start();
    expect(await ask(second.url, "SELECT 1 AS n")).toEqual([{ n: 1 }]);
  });

  test("Ctrl-C, which reaches the whole process group, leaves it to its owner to close it", async () => {
    const { owner } = await startOwner();
    const pid = await postmasterPid();
    const answered = once(owner, "message");
    process.kill(-owner.pid!, "SIGINT");
    expect((await answered)[0]).toEqual({ answer: "still here" });
    expect(processIdentity(pid)).toBeNull();
  });

  test("it ends with an owner that ends without closing it", async () => {
    const { owner } = await startOwner();
    const pid = await postmasterPid();
    owner.send("exit");
    await once(owner, "exit");
    await expect.poll(() => processIdentity(pid), { timeout: 10_000 }).toBeNull();
  });

  test("one that does not react is ended by force", async () => {
    const server = await start();
    const pid = await postmasterPid();
    process.kill(pid, "SIGSTOP");
    await server.close();
    expect(processIdentity(pid)).toBeNull();
  });

  test("a folder that cannot be made, and data that is not Postgres's, are named errors", async () => {
    const occupied = join(dataDir, "file");
    await writeFile(occupied, "");
    await expect(startEmbeddedPostgres({ dataDir: join(occupied, "x"), log })).rejects.toMatchObject({
      code: "config_invalid",
      hint: expect.stringContaining("UNDERSTUDY_DATA_DIR"),
    });
    const server = await start();
    await server.close();
    await writeFile(join(dataDir, "postgres/data/PG_VERSION"), "12\n");
    await expect(startEmbeddedPostgres({ dataDir, log })).rejects.toMatchObject({
      code: "child_failed",
      hint: expect.stringContaining("incompatible"),
    });
  });
});

describe.runIf(isRoot)("as root", () => {
  test("in a private folder", async () => {
    await chmod(dataDir, 0o700);
    const { url } = await start();
    expect(await ask(url, "SELECT 1 AS n")).toEqual([{ n: 1 }]);
    expect((await stat(join(dataDir, "postgres/data"))).uid).toBe(0);
  });

  test("where user namespaces are forbidden: as nobody, and back again", async () => {
    await chmod(dataDir, 0o700);
    const [, capability] = await waysForRoot();
    const binaries = await findPostgres(dataDir, [capability]);
    await preparePostgresFolder(join(dataDir, "postgres"), binaries);
    const owner = async () => (await stat(join(dataDir, "postgres/data/base"))).uid;
    expect(await owner()).toBe(capability.owner.uid);

    const { url, close } = await start();
    await ask(url, "CREATE TABLE kept AS SELECT 9 AS n");
    expect(await owner()).toBe(0);
    await close();

    await preparePostgresFolder(join(dataDir, "postgres"), binaries);
    expect(await owner()).toBe(capability.owner.uid);
  });

  test("without any way to stop being root, it says what to do", async () => {
    const way = { prefix: ["env"], owner: { uid: 0, gid: 0 } };
    await expect(findPostgres(dataDir, [way])).rejects.toMatchObject({
      code: "child_failed",
      hint: expect.stringMatching(/ordinary user.*DATABASE_URL/),
    });
  });

  test("as nobody, with its programs in a folder of root's", async () => {
    const [, capability] = await waysForRoot();
    const { initdb } = await findPostgres(dataDir, [capability]);
    const own = join(dataDir, "native");
    await cp(join(dirname(initdb), ".."), own, { recursive: true });
    await chmod(dataDir, 0o700);
    const binaries = { ...capability, initdb: join(own, "bin/initdb"), postgres: join(own, "bin/postgres") };
    await preparePostgresFolder(join(dataDir, "postgres"), binaries);
    expect((await stat(join(dataDir, "postgres/data/base"))).uid).toBe(capability.owner.uid);
  });

  test.runIf(othersMayRead(import.meta.filename))(
    "an ordinary user runs it without any of this; in a folder of root's it says so",
    async () => {
      const [, { owner: nobody }] = await waysForRoot();
      await chown(dataDir, nobody.uid, nobody.gid);
      const { message } = await startOwner(dataDir, nobody);
      expect(message).toEqual({ url: expect.stringContaining("127.0.0.1") });
      expect(await ask(message.url!, "SELECT 1 AS n")).toEqual([{ n: 1 }]);

      const roots = await mkdtemp(join(tmpdir(), "understudy-embedded-"));
      cleanUp.push(() => rm(roots, { recursive: true }));
      await chmod(roots, 0o755);
      const { message: refusal } = await startOwner(roots, nobody);
      expect(refusal).toMatchObject({
        code: "config_invalid",
        hint: expect.stringContaining("belongs to you"),
      });
    },
  );
});
