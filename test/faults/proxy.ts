import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/**
 * What a proxy does to the bytes that pass from now on, both ways.
 * - `pass`: nothing.
 * - `latency`: each piece comes `ms` later.
 * - `reset`: connections that are there are reset, and new ones as soon as they open.
 * - `blackhole`: connections open, and nothing ever comes through.
 * - `slice`: pieces of `bytes` bytes, `ms` apart.
 * - `limit`: a connection is reset when the server has sent so many bytes through it.
 */
export type Fault =
  | { kind: "pass" | "reset" | "blackhole" }
  | { kind: "latency"; ms: number }
  | { kind: "slice"; bytes: number; ms: number }
  | { kind: "limit"; bytes: number };

export interface FaultProxy {
  readonly port: number;
  /** Connections that a fault has met so far, by its kind: the proof that it fired. */
  readonly fired: Readonly<Record<Fault["kind"], number>>;
  set(fault: Fault): void;
  close(): Promise<void>;
}

/** A door in front of a TCP server on this machine, through which its clients see a bad network. */
export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  const pairs = new Set<{ client: Socket; server: Socket }>();
  const fired = { pass: 0, reset: 0, blackhole: 0, latency: 0, slice: 0, limit: 0 };
  let fault: Fault = { kind: "pass" };

  const listener = createServer((client) => {
    const server = connect(targetPort, "127.0.0.1");
    const pair = { client, server };
    pairs.add(pair);
    fired[fault.kind] += 1;
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on("error", () => {});
      one.on("close", () => {
        pairs.delete(pair);
        other.destroy();
      });
    }
    carry(client, server, () => {});
    let received = 0;
    carry(server, client, (bytes) => {
      received += bytes;
      if (fault.kind !== "limit" || received < fault.bytes) return;
      fired.limit += 1;
      cut(pair);
    });
    if (fault.kind === "reset") cut(pair);
  });

  function cut({ client, server }: { client: Socket; server: Socket }): void {
    client.resetAndDestroy();
    server.destroy();
  }

  /** One direction. Pieces keep their order whatever is done to each of them. */
  function carry(from: Socket, to: Socket, count: (bytes: number) => void): void {
    let sending = Promise.resolve();
    from.on("data", (chunk: Buffer) => {
      count(chunk.length);
      from.pause();
      sending = sending.then(() => send(chunk, to)).then(() => void from.resume());
    });
    from.on("end", () => void sending.then(() => to.end()));
  }

  async function send(chunk: Buffer, to: Socket): Promise<void> {
    const now = fault;
    // What fell into the hole is gone; the connection is cut when the fault ends, as a network's would be.
    if (now.kind === "blackhole") return;
    if (now.kind === "latency") await pause(now.ms);
    const size = now.kind === "slice" ? now.bytes : chunk.length;
    for (let at = 0; at < chunk.length; at += size) {
      if (now.kind === "slice") await pause(now.ms);
      if (!to.destroyed) to.write(chunk.subarray(at, at + size));
    }
  }

  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    fired,
    set(next) {
      const before = fault;
      fault = next;
      fired[next.kind] += next.kind === "pass" ? 0 : pairs.size;
      if (next.kind === "reset" || before.kind === "blackhole") for (const pair of pairs) cut(pair);
    },
    close: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        for (const pair of pairs) cut(pair);
      }),
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
