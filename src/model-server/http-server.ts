import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import { InferError } from "./infer-error.js";
import { errorReply, type Reply } from "./reply.js";
import { type RouteDeps, route } from "./routes.js";

/** Longer than Python's tritonclient leaves its connections idle, and than Node's client does. */
const keepAliveMs = 600_000;
const connectionsMax = 1_024;

/** A V2 server over these models, not listening yet. */
export function createModelHttpServer(deps: RouteDeps & { log: Logger }): Server {
  const server = createServer((request, response) => {
    const wanted = () => !response.destroyed;
    void route(request, wanted, deps)
      .catch((error) => failure(error, request, deps.log))
      .then((reply) => write(request, response, reply));
  });
  server.keepAliveTimeout = keepAliveMs;
  server.maxConnections = connectionsMax;
  return server;
}

function failure(error: unknown, request: IncomingMessage, log: Logger): Reply {
  if (error instanceof InferError) return errorReply(error.status, error.message);
  log.error({ url: request.url, error: messageOf(error) }, "request failed");
  return errorReply(500, "internal error");
}

function write(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  if (response.destroyed) return;
  if (reply.status === 413) {
    // The rest of the body is not read, so this connection cannot carry another request.
    response.setHeader("connection", "close");
    response.once("finish", () => request.destroy());
  }
  response.writeHead(reply.status, { ...reply.headers, "content-length": reply.body.length });
  response.end(reply.body);
}
