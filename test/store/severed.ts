import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/**
 * A way to Postgres that can be severed: after `sever()`, the next answer of the server is thrown away and its
 * connection cut, so that the client cannot know whether the statement went through. It did.
 */
export async function openSeverable(databaseUrl: string) {
  const target = new URL(databaseUrl);
  const host = target.searchParams.get("host") ?? target.hostname;
  const sockets = new Set<Socket>();
  let armed = false;
  let severed = 0;
  const server = createServer((client) => {
    const port = Number(target.port || 5432);
    const upstream = host.startsWith("/") ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    sockets.add(client).add(upstream);
    client.pipe(upstream);
    upstream.on("data", (chunk) => {
      if (!armed) return void client.write(chunk);
      armed = false;
      severed++;
      client.destroy();
      upstream.end();
    });
    upstream.on("close", () => client.destroy());
    client.on("close", () => upstream.end());
    for (const socket of [client, upstream]) socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(databaseUrl);
  url.searchParams.delete("host");
  url.hostname = "127.0.0.1";
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    sever: () => {
      armed = true;
    },
    /** How often it was severed: a test proves by this that its fault fired. */
    severed: () => severed,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
