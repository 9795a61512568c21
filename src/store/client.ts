import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "./generated/client.js";
import { createStatementNames } from "./prepared.js";

export type { PrismaClient };

export interface PrismaOptions {
  poolMax?: number;
  statementMs?: number;
}

/**
 * A Prisma client over its own pool of at most `poolMax` connections.
 *
 * No wait is without end: 5 s for a connection, `statementMs` (30 s) for a statement on the server, 5 s more for its
 * answer when the server is silent. The session's time zone is UTC because the adapter writes times without a zone and
 * reads them ignoring the zone that came along. Statements are not compiled: over large tables Postgres may think it worth
 * while, and compiling the query of a page takes over ten times as long as the page.
 */
export function createPrisma(databaseUrl: string, options: PrismaOptions = {}): PrismaClient {
  const { poolMax = 10, statementMs = 30_000 } = options;
  const adapter = new PrismaPg(
    {
      connectionString: databaseUrl,
      max: poolMax,
      connectionTimeoutMillis: 5_000,
      idleTimeoutMillis: 30_000,
      statement_timeout: statementMs,
      query_timeout: statementMs + 5_000,
      keepAlive: true,
      application_name: "understudy",
      options: "-c timezone=UTC -c jit=off",
    },
    // Without a listener the loss of an idle connection would end the process; the next query opens another.
    {
      onPoolError: () => {},
      onConnectionError: () => {},
      statementNameGenerator: createStatementNames(),
    },
  );
  return new PrismaClient({ adapter, transactionOptions: { maxWait: 5_000, timeout: 15_000 } });
}
