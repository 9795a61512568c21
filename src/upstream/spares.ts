import type { Socket } from "node:net";
import type { buildConnector } from "undici";
import { keepAliveMs } from "./guard.js";

type Connector = buildConnector.connector;
type Target = Parameters<Connector>[0];

/** Connections that are open before they are needed: a request whose time has come must not wait for one. */
export interface Spares {
  /** Gives a spare one where there is one, else opens one. */
  readonly connect: Connector;
  /** Opens as many as are missing to `count`. They are given up after a while; ask again as long as they are wanted. */
  keep(origin: string, count: number): void;
  close(): void;
}

interface Stock {
  idle: Set<Socket>;
  opening: number;
}

export function createSpares(connect: Connector): Spares {
  const stocks = new Map<string, Stock>();
  let closed = false;

  function add(stock: Stock, socket: Socket): void {
    if (closed) {
      socket.destroy();
      return;
    }
    stock.idle.add(socket);
    socket.unref();
    const drop = () => stock.idle.delete(socket);
    socket.once("close", drop);
    socket.on("error", drop);
    setTimeout(() => stock.idle.delete(socket) && socket.destroy(), keepAliveMs).unref();
  }

  function open(stock: Stock, target: Target): void {
    stock.opening += 1;
    connect(target, (error, socket) => {
      stock.opening -= 1;
      // The request that needs it will meet the same error, and say so.
      if (error === null) add(stock, socket);
    });
  }

  /** One that the server has closed, or has spoken on unasked, is of no use. */
  function take({ idle }: Stock): Socket | null {
    for (const socket of idle) {
      idle.delete(socket);
      if (!socket.destroyed && !socket.readableEnded && socket.readableLength === 0) return socket;
      socket.destroy();
    }
    return null;
  }

  return {
    connect(target, callback) {
      const stock = stocks.get(keyOf(target));
      const socket = stock && take(stock);
      if (!socket) {
        connect(target, callback);
        return;
      }
      socket.ref();
      queueMicrotask(() => callback(null, socket));
    },
    keep(origin, count) {
      const { host, hostname, port, protocol } = new URL(origin);
      const target = { host, hostname: hostname.replace(/^\[|\]$/g, ""), port, protocol };
      const key = keyOf(target);
      const stock = stocks.get(key) ?? { idle: new Set<Socket>(), opening: 0 };
      stocks.set(key, stock);
      while (stock.idle.size + stock.opening < count) open(stock, target);
    },
    close() {
      closed = true;
      for (const { idle } of stocks.values()) for (const socket of idle) socket.destroy();
    },
  };
}

const keyOf = ({ protocol, host, hostname, port }: Target) => `${protocol}//${host ?? `${hostname}:${port}`}`;
