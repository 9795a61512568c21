import { connect as connectTcp, isIP, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls, createSecureContext } from "node:tls";
import { Scratch } from "../scratch.js";
import { atOnce, Turn } from "./turn.js";
import {
  type ConnectionLimits,
  type Sender,
  UpstreamConnection,
  type UpstreamHandler,
  type UpstreamRequest,
} from "./upstream-connection.js";

/** What most requests with their heads fit into. */
const scratchBytes = 16 * 1024;
/** What one read takes at most. */
const readBytes = 64 * 1024;

/** Too many requests wait for a connection already. */
export class UpstreamBusy extends Error {}

/** A request on its way. Nothing of it does anything once it has ended. */
export interface UpstreamCall {
  /** Part of a streamed body, after `onSent`. False: the next one should wait for `onDrain`. */
  write(part: Buffer): boolean;
  /** @param rawTrailers of a chunked body; names and values in turn */
  end(rawTrailers: readonly string[]): void;
  /** After `onBody` returned false. */
  resume(): void;
  /** Gives it up; the handler is told nothing more. */
  abort(): void;
}

/** Connections to one origin. */
export interface UpstreamPool {
  dispatch(request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall;
  /** Opens as many connections as are missing to so many idle ones. */
  keep(connections: number): void;
  /** Ends idle connections now and the others after their request. */
  close(): void;
  /** Ends all of them. */
  destroy(): void;
}

export interface UpstreamPoolOptions extends ConnectionLimits {
  /** Connections at most; further requests wait for one. null: as many as there are requests. */
  connectionsMax: number | null;
  /** Requests that wait at most; any further one fails at once with {@link UpstreamBusy}. */
  waitingMax: number;
  /** How long an idle connection is kept; less when the primary says so. */
  idleMs: number;
  /** Requests go out when they are dispatched, and not at the end of the event loop's turn, which costs less. */
  atOnce?: boolean;
  /** How the origin's name is looked up; absent: as the system does. */
  lookup?: LookupFunction | undefined;
  /** Certificates of the authorities that are trusted, in PEM; absent: Node's own. */
  ca?: readonly string[] | undefined;
  /** A connection did not come about. */
  onConnectFailure?: (error: Error) => void;
}

/** A primary closes a connection a moment before it says it will: clocks differ, and packets take time. */
const hintSpareMs = 1_000;

/** @param origin `http(s)://host[:port]` */
export function createUpstreamPool(origin: string, options: UpstreamPoolOptions): UpstreamPool {
  const { connectionsMax, waitingMax, idleMs, lookup, ca, onConnectFailure = () => {} } = options;
  const { protocol, hostname, port, host } = new URL(origin);
  const secure = protocol === "https:";
  // Once: with authorities of its own, each context reads every certificate anew, which takes tens of milliseconds.
  const secureContext = secure ? createSecureContext(ca === undefined ? {} : { ca: [...ca] }) : undefined;
  const address = {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(port || (secure ? 443 : 80)),
    ...(lookup === undefined ? {} : { lookup }),
  };
  const idle: UpstreamConnection[] = [];
  const open = new Set<UpstreamConnection>();
  /** Being opened, and for no request yet. */
  const spare = new Set<UpstreamConnection>();
  const waiting: Ticket[] = [];
  // All connections read into the same memory: each hands on what it read before another reads.
  const buffer = Buffer.allocUnsafeSlow(readBytes);
  const shortestMs = Math.min(options.connectMs, options.headersMs, options.bodyMs, idleMs);
  const checkMs = Math.min(1_000, Math.max(10, shortestMs / 4));
  let timer: NodeJS.Timeout | undefined;
  let closing = false;

  const owner = {
    turn: options.atOnce ? atOnce : new Turn(),
    scratch: new Scratch(scratchBytes),
    onIdle(connection: UpstreamConnection) {
      spare.delete(connection);
      const next = waiting.shift();
      if (next !== undefined) next.sendOn(connection);
      else if (closing) connection.destroy();
      else idle.push(connection);
    },
    onGone(connection: UpstreamConnection, unreachable: Error | null) {
      open.delete(connection);
      spare.delete(connection);
      const at = idle.indexOf(connection);
      if (at >= 0) idle.splice(at, 1);
      if (unreachable !== null) onConnectFailure(unreachable);
      if (open.size === 0) {
        clearInterval(timer);
        timer = undefined;
      }
      const next = waiting.shift();
      if (next !== undefined) next.sendOn(makeConnection());
    },
  };

  function makeConnection(): UpstreamConnection {
    let connection: UpstreamConnection;
    let socket: Socket;
    if (secure) {
      const servername = isIP(address.host) === 0 ? { servername: address.host } : {};
      socket = connectTls({
        ...address,
        ...servername,
        secureContext,
        ALPNProtocols: ["http/1.1"],
        // Said here, so that no variable of the environment can turn it off.
        rejectUnauthorized: true,
      });
      socket.on("data", (bytes: Buffer) => void connection.receive(bytes));
      socket.once("secureConnect", () => connection.connected());
    } else {
      const callback = (read: number) => connection.receive(buffer.subarray(0, read));
      socket = connectTcp({ ...address, onread: { buffer, callback } });
      socket.once("connect", () => connection.connected());
    }
    socket.setNoDelay(true);
    connection = new UpstreamConnection(socket, host, options, owner);
    open.add(connection);
    timer ??= setInterval(check, checkMs).unref();
    return connection;
  }

  function check(): void {
    const nowMs = performance.now();
    for (const connection of open) connection.check(nowMs);
    dropStale(nowMs);
  }

  function dropStale(nowMs = performance.now()): void {
    for (const connection of [...idle]) if (isStale(connection, nowMs)) connection.destroy();
  }

  function isStale({ keepAliveMs, idleSinceMs }: UpstreamConnection, nowMs: number): boolean {
    const keptMs = keepAliveMs === null ? idleMs : Math.min(idleMs, keepAliveMs - hintSpareMs);
    return nowMs - idleSinceMs >= keptMs;
  }

  /** The newest: it is the least likely to have been closed by the primary just now. */
  function freeConnection(): UpstreamConnection | null {
    const nowMs = idle.length > 0 ? performance.now() : 0;
    for (let connection = idle.pop(); connection !== undefined; connection = idle.pop()) {
      if (!isStale(connection, nowMs)) return connection;
      connection.destroy();
    }
    return connectionsMax === null || open.size < connectionsMax ? makeConnection() : null;
  }

  class Ticket implements UpstreamCall, Sender {
    readonly #request: UpstreamRequest;
    readonly #handler: UpstreamHandler;
    #connection: UpstreamConnection | null = null;

    constructor(request: UpstreamRequest, handler: UpstreamHandler) {
      this.#request = request;
      this.#handler = handler;
    }

    sendOn(connection: UpstreamConnection): void {
      this.#connection = connection;
      connection.take(this.#request, this.#handler, this);
    }

    /** Its turn is now: it goes out on the connection that is made in place of the one that is gone. */
    onUnsent(): void {
      waiting.unshift(this);
    }

    refuse(error: Error): void {
      this.#handler.onError(error);
    }

    write(part: Buffer): boolean {
      return this.#connection?.write(this.#handler, part) ?? true;
    }

    end(rawTrailers: readonly string[]): void {
      this.#connection?.endUpload(this.#handler, rawTrailers);
    }

    resume(): void {
      this.#connection?.resume(this.#handler);
    }

    abort(): void {
      const at = waiting.indexOf(this);
      if (at >= 0) waiting.splice(at, 1);
      this.#connection?.abort(this.#handler);
    }
  }

  return {
    dispatch(request, handler) {
      const ticket = new Ticket(request, handler);
      const connection = freeConnection();
      if (connection !== null) ticket.sendOn(connection);
      else if (waiting.length < waitingMax) waiting.push(ticket);
      else ticket.refuse(new UpstreamBusy(`${waitingMax} requests wait for a connection to it already`));
      return ticket;
    },

    keep(connections) {
      dropStale();
      while (idle.length + spare.size < connections) spare.add(makeConnection());
    },

    close() {
      closing = true;
      for (const connection of [...idle]) connection.destroy();
    },

    destroy() {
      closing = true;
      for (const ticket of waiting.splice(0)) ticket.refuse(new Error("its client is closing"));
      for (const connection of [...open]) connection.destroy();
    },
  };
}
