import { mkdtemp, rm } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { pino } from "pino";
import { expect, onTestFinished } from "vitest";
import { hasDebianPostgres, type OwnServer, startOwnPostgres, startOwnRedis } from "../../bench/servers.js";
import { createFileStore } from "../../src/blobs/file-store.js";
import { type Child, startChild } from "../../src/process/child.js";
import { freePort } from "../../src/process/free-port.js";
import { recount as recountDeployment } from "../../src/recount/recount.js";
import { migrate } from "../../src/store/migrate.js";
import { createStore } from "../../src/store/store.js";
import type { Ledger } from "../../src/store/types.js";
import { type Load, startLoad } from "../gateway/load.js";
import { answer, type Received, startCandidate } from "../replay/support.js";
import { databaseAt, onServer } from "../support/postgres.js";
import { eventually } from "../support/product.js";
import { type FaultProxy, startFaultProxy } from "./proxy.js";
import { openWorks, type Recount, recount, spoolFiles } from "./recount.js";

export type Act = (received: Received, response: ServerResponse) => void;

/** Answers with what it was given, as the primary does. */
export const echo: Act = ({ x }, response) => {
  response.setHeader("content-type", "application/json");
  response.end(answer(x));
};

/** A real Postgres and a real Redis that belong to one test file, which may do to them what it likes. */
export interface Servers {
  readonly folder: string;
  readonly postgres: OwnServer;
  readonly redis: OwnServer;
  close(): Promise<void>;
}

const template = "understudy_template";

export async function startServers(): Promise<Servers> {
  const folder = await mkdtemp(join(tmpdir(), "understudy-faults-"));
  const debian = hasDebianPostgres();
  const postgres = await startOwnPostgres({
    folder: join(folder, "postgres"),
    debian,
    settings: { fsync: "off" },
  });
  const redis = await startOwnRedis(join(folder, "redis"));
  await onServer(postgres.url, (client) => client.query(`CREATE DATABASE ${template}`));
  await migrate(databaseAt(postgres.url, template), { log: pino({ level: "warn" }, pino.destination(2)) });
  return {
    folder,
    postgres,
    redis,
    async close() {
      await redis.kill();
      await postgres.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A process of the product that is killed and started again under the same settings. */
export interface Proc {
  readonly role: string;
  readonly child: Child;
  kill(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>;
  restart(): Promise<void>;
}

let stages = 0;

export type Stage = Awaited<ReturnType<typeof openStage>>;

/**
 * A deployment `m` with a candidate `c` for one test, over a database of its own; its processes reach Postgres, Redis
 * and the candidate through fault proxies. It closes when the test has ended.
 */
export async function openStage(servers: Servers, acts: { candidate?: Act; primary?: Act } = {}) {
  const { postgres, redis } = servers;
  const folder = await mkdtemp(join(servers.folder, "stage-"));
  const name = `stage_${++stages}`;
  await onServer(postgres.url, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`));
  const databaseUrl = databaseAt(postgres.url, name);
  const opened: (() => Promise<unknown>)[] = [];
  onTestFinished(async () => {
    for (const close of opened.reverse()) await close();
  });
  const open = async <T>(what: Promise<T>, close: (it: T) => Promise<unknown>): Promise<T> => {
    const it = await what;
    opened.push(() => close(it));
    return it;
  };

  const store = createStore(databaseUrl, { poolMax: 3 });
  opened.push(() => store.close());
  const primary = await open(startCandidate(acts.primary ?? echo), (it) => it.close());
  const candidate = await open(startCandidate(acts.candidate ?? echo), (it) => it.close());
  const door = (port: number) => open(startFaultProxy(port), (it) => it.close());
  const proxies = {
    postgres: await door(postgres.port),
    redis: await door(redis.port),
    candidate: await door(Number(new URL(candidate.url).port)),
  };
  const endpoint = (url: string) => ({ url, model: "m", version: null, headers: {} });
  const deployment = await store.registry.createDeployment({
    name: "m",
    primary: endpoint(primary.url),
    control: null,
    sampleRate: 1,
    captureEnabled: true,
    policy: { outputs: {} },
  });
  const addCandidate = (candidateName: string, url: string) =>
    store.registry.addCandidate("m", {
      name: candidateName,
      endpoint: endpoint(url),
      sha256: null,
      metadata: {},
    });
  const { liveRunId: runId } = await addCandidate("c", through(candidate.url, proxies.candidate));
  const blobFolder = join(folder, "blobs");
  const redisDatabase = `/${stages % 16}`;
  const environment = {
    PATH: process.env.PATH,
    DATABASE_URL: through(databaseUrl, proxies.postgres),
    REDIS_URL: `${through(redis.url, proxies.redis)}${redisDatabase}`,
    UNDERSTUDY_BLOBS: `file:${blobFolder}`,
    UNDERSTUDY_LOG_LEVEL: "fatal",
  };

  /** Starts a process; a gateway has a port and a data folder that it keeps when it is started again. */
  async function start(role: "gateway" | "worker" | "control", more: NodeJS.ProcessEnv = {}): Promise<Proc> {
    const port = String(await freePort("127.0.0.1"));
    const env = {
      ...environment,
      UNDERSTUDY_DATA_DIR: join(folder, "gateway"),
      UNDERSTUDY_GATEWAY_PORT: port,
      UNDERSTUDY_CONTROL_PORT: port,
      ...more,
    };
    let child = await startChild([role], { env });
    opened.push(() => child.stop(500));
    return {
      role,
      get child() {
        return child;
      },
      async kill(signal = "SIGKILL") {
        child.process.kill(signal);
        return child.exited;
      },
      async restart() {
        child = await startChild([role], { env });
      },
    };
  }

  const ledger = () => store.ledger.read(deployment.id, { fromMs: null, toMs: null });
  const until = (wanted: (ledger: Ledger) => boolean, withinMs = 300_000) =>
    eventually(ledger, wanted, { withinMs, everyMs: 100 });
  const query = <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
    onServer(databaseUrl, async (client) => (await client.query<Row>(text, values)).rows);

  return {
    ...{ servers, folder, store, primary, candidate, proxies, deployment, runId, blobFolder },
    ...{ databaseUrl, addCandidate, start, ledger, until, query, open },
    blobs: createFileStore(blobFolder),
    environment,
    /** Past the proxy. */
    redisUrl: `${redis.url}${redisDatabase}`,
    load: (gateway: Proc, clients = 4, pauseMs = 2): Load =>
      startLoad(String(gateway.child.ready.url), "m", clients, pauseMs),
    /** Once nothing is on its way any more: the account, recounted from the raw data. */
    async settled(withinMs = 300_000, spoilt?: ReadonlySet<string>): Promise<Recount> {
      const dataDir = join(folder, "gateway");
      // What came last may be in no cut yet, nor in the spool: both take less than this.
      await sleep(1_500);
      // The spool first: what leaves it is in the ledger then. A crash after a commit leaves a file that goes again.
      await eventually(
        async () => ({
          files: await spoolFiles(dataDir),
          open: await openWorks(databaseUrl),
          ...(await ledger()),
        }),
        ({ files, open, inFlight, buffered, candidates }) =>
          files.length + open + inFlight + buffered === 0 &&
          Object.values(candidates).every(({ pending }) => pending === 0),
        { withinMs },
      );
      const counted = await recount({ databaseUrl, blobFolder, dataDir, ledger: await ledger(), spoilt });
      if (spoilt !== undefined) return counted;
      // What users run must come to the same.
      const deps = { reader: store.recount, blobs: createFileStore(blobFolder), dataDirs: [dataDir] };
      const own = await recountDeployment(deps, deployment.id);
      expect(own).toMatchObject({ captured: counted.captured, spooled: 0 });
      const told = own.differences.map((difference) => `understudy recount: ${JSON.stringify(difference)}`);
      return { ...counted, faults: [...counted.faults, ...told] };
    },
  };
}

function through(url: string, { port }: FaultProxy): string {
  const changed = new URL(url);
  changed.hostname = "127.0.0.1";
  changed.port = String(port);
  return changed.href.replace(/\/$/, "");
}

/** Waits until so many requests were answered. */
export function untilAnswered(load: Load, count: number): Promise<number> {
  return eventually(
    async () => load.answered,
    (answered) => answered >= count,
    { withinMs: 120_000, everyMs: 20 },
  );
}
