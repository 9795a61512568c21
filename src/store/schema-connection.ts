import { PrismaPg } from "@prisma/adapter-pg";
import {
  bindMigrationAwareSqlAdapterFactory,
  type ColumnType,
  ColumnTypeEnum,
  type SqlDriverAdapter,
} from "@prisma/driver-adapter-utils";
import { type ClientBase, Pool, type QueryResult } from "pg";
import { messageOf, UnderstudyError } from "../errors.js";
import { loadSchemaEngine, type SchemaEngine } from "./schema-engine.js";

const charOid = 18;
const charArrayOid = 1002;

/** One connection, inside one transaction, with a schema engine that works through it. */
export interface SchemaConnection {
  readonly engine: SchemaEngine;
  execute(sql: string): Promise<void>;
}

/**
 * Opens a connection and a transaction, hands both with a schema engine to `work`, and commits what it did. When it
 * fails, everything is rolled back: a migration is applied with its record, or not at all.
 *
 * @throws UnderstudyError `database_unreachable`; what `work` throws, or the first fault the database reported.
 */
export async function inSchemaTransaction<T>(
  databaseUrl: string,
  schema: readonly [path: string, content: string],
  work: (connection: SchemaConnection) => Promise<T>,
): Promise<T> {
  const pool = new Pool({
    connectionString: databaseUrl,
    max: 1,
    connectionTimeoutMillis: 10_000,
    application_name: "understudy migrate",
    options: "-c timezone=UTC",
  });
  pool.on("connect", disguiseChar);
  // A broken connection also fails the query in hand, which tells more.
  pool.on("error", () => {});
  const adapter = await new PrismaPg(pool).connect();
  try {
    const transaction = await adapter.startTransaction().catch((error: unknown) => {
      throw unreachable(databaseUrl, error);
    });
    const faults: unknown[] = [];
    const execute = async (sql: string): Promise<void> => {
      // Without parameters a text of several statements goes to the server as one.
      await transaction.executeRaw({ sql, args: [], argTypes: [] }).catch((error: unknown) => {
        faults.push(error);
        throw error;
      });
    };
    const engineAdapter: SqlDriverAdapter = {
      provider: "postgres",
      adapterName: adapter.adapterName,
      queryRaw: async (query) => {
        const result = await transaction.queryRaw(query);
        return { ...result, columnTypes: result.columnTypes.map(undisguiseChar) };
      },
      executeRaw: (query) => transaction.executeRaw(query),
      // The adapter's own splits the script at every semicolon, in function bodies and comments too.
      executeScript: execute,
      startTransaction: () =>
        Promise.reject(new Error("the schema engine works in the transaction it was given")),
      dispose: () => Promise.resolve(),
    };
    const factory = bindMigrationAwareSqlAdapterFactory({
      provider: "postgres",
      adapterName: adapter.adapterName,
      connect: () => Promise.resolve(engineAdapter),
      connectToShadowDb: () => Promise.reject(new Error("a shadow database is never used")),
    });
    const { SchemaEngine } = await loadSchemaEngine();
    const engine = await SchemaEngine.new({ datamodels: [[...schema]] }, () => {}, factory);
    try {
      const result = await work({ engine, execute });
      await execute("COMMIT");
      return result;
    } catch (error) {
      await execute("ROLLBACK").catch(() => {});
      // The engine tries to record a failure in the transaction that failed; only the first fault says why.
      throw faults[0] ?? error;
    } finally {
      engine.free();
      await transaction.rollback();
    }
  } finally {
    await pool.end();
  }
}

/** The error for a database that cannot be connected to; names the place, never the password. */
export function unreachable(databaseUrl: string, cause: unknown): UnderstudyError {
  const { host, pathname } = new URL(databaseUrl);
  return new UnderstudyError(
    "database_unreachable",
    `Cannot connect to Postgres at ${host}${pathname}: ${reasonOf(cause)}`,
    {
      hint: "Check that Postgres runs there and that DATABASE_URL has the right user, password and database.",
      cause,
    },
  );
}

/** What Postgres itself said, which Prisma's adapter keeps behind a name of its own for the fault. */
export function reasonOf(cause: unknown): string {
  const fault = (cause as { cause?: { kind?: string; originalMessage?: string } }).cause;
  if (fault?.originalMessage !== undefined) return fault.originalMessage;
  return fault?.kind === "DatabaseNotReachable" ? "nothing answers there" : messageOf(cause);
}

/**
 * The catalogues have columns of type "char" (OID 18), which Prisma's adapter does not know and dies on. They pass
 * through it as char arrays, a type no catalogue query of the engine returns, and are named rightly after it.
 */
function disguiseChar(client: ClientBase): void {
  const query = client.query.bind(client) as (...args: unknown[]) => Promise<QueryResult | undefined>;
  const disguised = async (...args: unknown[]): Promise<QueryResult | undefined> => {
    const result = await query(...args);
    for (const field of result?.fields ?? []) {
      if (field.dataTypeID === charOid) field.dataTypeID = charArrayOid;
    }
    return result;
  };
  Object.assign(client, { query: disguised });
}

function undisguiseChar(type: ColumnType): ColumnType {
  return type === ColumnTypeEnum.CharacterArray ? ColumnTypeEnum.Character : type;
}
