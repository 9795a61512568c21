// A process that owns an embedded Postgres: says where, then waits. On SIGINT it asks the server something before it
// closes it, as a service does that has work to finish.
import { pathToFileURL } from "node:url";
import pg from "pg";
import { pino } from "pino";

const [module, dataDir] = process.argv.slice(2);
const { startEmbeddedPostgres } = await import(pathToFileURL(module).href);
const log = pino({ level: "silent" });
try {
  const server = await startEmbeddedPostgres({ dataDir, log });
  process.on("message", () => process.exit(0)); // without closing
  process.once("SIGINT", async () => {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    const { rows } = await client.query("SELECT 'still here' AS answer");
    await client.end();
    await server.close();
    process.send({ answer: rows[0].answer }, () => process.disconnect());
  });
  process.send({ url: server.url });
} catch (error) {
  process.send({ code: error.code, message: error.message, hint: error.hint }, () => process.disconnect());
}
