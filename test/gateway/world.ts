import type { IncomingMessage, ServerResponse } from "node:http";
import { createBlobStore } from "../../src/blobs/blobs.js";
import { withBodies } from "../../src/capture/bodies.js";
import type { Capture } from "../../src/capture/capture.js";
import { readSegment } from "../../src/capture/segment.js";
import { createStore } from "../../src/store/store.js";
import type { Ledger, NewDeployment } from "../../src/store/types.js";
import { createTestDatabase } from "../support/database.js";
import { databaseAt, onServer } from "../support/postgres.js";
import { eventually } from "../support/product.js";
import { startTestGateway } from "./gateway.js";
import { startUpstream } from "./upstream.js";
import { send } from "./wire.js";

export type GatewayWorld = Awaited<ReturnType<typeof openGatewayWorld>>;

/**
 * A gateway in front of a primary, over a database of its own, with one deployment for each name; the name is also
 * that of the model.
 */
export async function openGatewayWorld(options: {
  deployments: Record<string, Partial<NewDeployment>>;
  primary: (request: IncomingMessage, response: ServerResponse) => void;
  env?: NodeJS.ProcessEnv;
  /** A folder that is there already; it is removed in the end. */
  dataDir?: string;
}) {
  const database = await createTestDatabase();
  const store = createStore(database.url);
  const upstream = await startUpstream(options.primary);
  const ids = new Map<string, number>();
  for (const [name, change] of Object.entries(options.deployments)) {
    const { id } = await store.registry.createDeployment({
      name,
      primary: { url: upstream.url, model: name, version: null, headers: {} },
      control: null,
      sampleRate: 1,
      captureEnabled: true,
      policy: { outputs: {} },
      ...change,
    });
    ids.set(name, id);
  }
  const { dataDir } = options;
  const gateway = await startTestGateway(
    { DATABASE_URL: database.url, ...options.env },
    dataDir === undefined ? {} : { dataDir },
  );
  const ledgerOf = (name: string) => store.ledger.read(ids.get(name)!, { fromMs: null, toMs: null });

  return {
    database,
    store,
    upstream,
    gateway,
    ids,
    ledgerOf,

    post: (model: string, body: string | Buffer, headers: Record<string, string> = {}) =>
      send(gateway.port, { method: "POST", path: `/v2/models/${model}/infer`, body, headers }),

    /** The ledger, once so many requests were received and none is on its way. */
    settled: (name: string, received: number): Promise<Ledger> =>
      eventually(
        () => ledgerOf(name),
        (ledger) => ledger.received === received && ledger.inFlight === 0 && ledger.buffered === 0,
        { withinMs: 15_000, everyMs: 50 },
      ),

    /** By segment, the captures in each, the oldest segment first. */
    async segmentsOf(name: string): Promise<Capture[][]> {
      const { rows } = await onServer(
        databaseAt(database.url, new URL(database.url).pathname.slice(1)),
        (client) =>
          client.query("SELECT blob_key FROM segments WHERE deployment_id = $1 ORDER BY id", [ids.get(name)]),
      );
      const blobs = await createBlobStore({ blobs: `file:${gateway.dataDir}/blobs`, s3Endpoint: undefined });
      return Promise.all(
        rows.map(async ({ blob_key }: { blob_key: string }) =>
          withBodies(blobs, await readSegment(await blobs.get(blob_key))),
        ),
      );
    },

    async capturesOf(name: string): Promise<Capture[]> {
      return (await this.segmentsOf(name)).flat();
    },

    async close() {
      await gateway.remove();
      await upstream.close();
      await store.close();
      await database.drop();
    },
  };
}
