import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { databaseAt, onServer } from "./postgres.js";

export interface TestDatabase {
  readonly url: string;
  /** Removes the database, and ends whatever is still connected to it. */
  drop(): Promise<void>;
}

/** A migrated database of its own for one test file or test; `empty`: without the migrations. */
export async function createTestDatabase(options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const { url, template } = inject("testPostgres");
  const name = `${template}_${randomBytes(4).toString("hex")}`;
  const source = options.empty ? "template0" : template;
  await onServer(url, (client) => client.query(`CREATE DATABASE "${name}" TEMPLATE "${source}"`));
  return {
    url: databaseAt(url, name),
    drop: async () => {
      await onServer(url, (client) => client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`));
    },
  };
}
