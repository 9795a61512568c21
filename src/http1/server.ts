import { createServer as createTcpServer, type Server, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Scratch } from "../scratch.js";
import { BodyMemory } from "./body-memory.js";
import type { RequestHead } from "./request-head.js";
import {
  type ClientLimits,
  type ConnectionServer,
  type RequestHandler,
  ServerConnection,
} from "./server-connection.js";
import { Turn } from "./turn.js";

/** What most answers with their heads fit into. */
const scratchBytes = 80 * 1024;
/** What one read takes at most, but for bodies that are read to where they stay. */
const readBytes = 64 * 1024;
/**
 * How long a kept connection may go on being idle once the server closes. Its client's next request may be on its way
 * already: closing at once would reset it unanswered. Answered within this time, it is told `Connection: close`.
 */
const idleGraceMs = 500;
const sweepMs = 50;

export interface HttpServerOptions {
  limits: ClientLimits & { connectionsMax: number };
  handle(head: RequestHead, connection: ServerConnection): RequestHandler;
  /** A request was refused before anyone saw to it. */
  onRefused(status: number): void;
}

/** A server of HTTP/1.1 for requests of which each costs as little as can be. */
export interface HttpServer {
  /** What listens. */
  readonly socket: Server;
  /**
   * Stops accepting, lets what is under way finish within the deadline, then cuts it off. Resolves when no connection
   * is left. Every answer from then on ends its connection.
   */
  close(deadlineMs: number): Promise<void>;
}

export function createHttpServer({ limits, handle, onRefused }: HttpServerOptions): HttpServer {
  const connections = new Set<ServerConnection>();
  // All connections read into the same memory: each deals with what it read before another reads.
  const buffer = Buffer.allocUnsafeSlow(readBytes);
  const owner = {
    limits,
    turn: new Turn(),
    scratch: new Scratch(scratchBytes),
    memory: new BodyMemory(),
    closing: false as boolean,
    handle,
    onRefused,
    onGone: (connection: ServerConnection) => void connections.delete(connection),
  } satisfies ConnectionServer;

  const socket = createTcpServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
    // Not by `maxConnections`: of several processes, Node would hand it on from one to the next for as long as all are full.
    if (connections.size >= limits.connectionsMax) {
      accepted.destroy();
      return;
    }
    const handle = takeHandle(accepted);
    const callback = (read: number, memory: Uint8Array) =>
      connection.receive((memory as Buffer).subarray(0, read));
    const onread = { buffer: () => connection.into ?? buffer, callback };
    const connection = new ServerConnection(owner);
    connection.attach(new Socket({ handle, onread } as ConstructorParameters<typeof Socket>[0]));
    connections.add(connection);
  });

  const shortestMs = Math.min(limits.headMs, limits.requestMs, limits.keepAliveMs);
  const timer = setInterval(
    () => {
      const nowMs = performance.now();
      for (const connection of connections) connection.check(nowMs);
    },
    Math.min(1_000, Math.max(10, shortestMs / 4)),
  ).unref();

  return {
    socket,
    async close(deadlineMs) {
      owner.closing = true;
      const closed = new Promise<void>((resolve) => void socket.close(() => resolve()));
      const startedMs = performance.now();
      for (let tookMs = 0; connections.size > 0; tookMs = performance.now() - startedMs) {
        for (const connection of connections)
          if (tookMs >= deadlineMs || (tookMs >= idleGraceMs && connection.isIdle)) connection.destroy();
        await sleep(sweepMs);
      }
      clearInterval(timer);
      await closed;
    },
  };
}

/**
 * A server's sockets have memory of their own for each read, which Node gives them and collects. Only sockets that one
 * makes oneself can be given memory to read into, and they are made from a handle, which has no public name.
 */
function takeHandle(accepted: Socket): object {
  const holder = accepted as unknown as { _handle: object | null };
  const handle = holder._handle!;
  holder._handle = null;
  accepted.destroy();
  return handle;
}
