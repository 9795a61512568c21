import type { lookup } from "node:dns";
import { describe, expect, it, test } from "vitest";
import { classifyAddress } from "../../src/upstream/addresses.js";
import { createUpstream } from "../../src/upstream/client.js";
import { createGuardedAgent } from "../../src/upstream/guard.js";
import { http, startRawServer } from "./servers.js";

test.each([
  ["169.254.169.254", "forbidden"],
  ["169.254.170.2", "forbidden"],
  ["100.100.100.200", "forbidden"],
  ["192.0.0.192", "forbidden"],
  ["168.63.129.16", "forbidden"],
  ["fd00:ec2::254", "forbidden"],
  ["fd20:ce::254", "forbidden"],
  ["fe80::1", "forbidden"],
  ["224.0.0.1", "forbidden"],
  ["255.255.255.255", "forbidden"],
  ["::ffff:169.254.169.254", "forbidden"],
  ["::ffff:a9fe:a9fe", "forbidden"],
  ["::169.254.169.254", "forbidden"],
  ["64:ff9b::a9fe:a9fe", "forbidden"],
  ["2002:a9fe:a9fe::1", "forbidden"],
  ["not an address", "forbidden"],
  ["127.0.0.1", "internal"],
  ["0.0.0.0", "internal"],
  ["10.1.2.3", "internal"],
  ["172.16.0.1", "internal"],
  ["192.168.1.1", "internal"],
  ["100.64.0.1", "internal"],
  ["::1", "internal"],
  ["::", "internal"],
  ["fd12:3456::1", "internal"],
  ["::ffff:127.0.0.1", "internal"],
  ["::ffff:10.0.0.1", "internal"],
  ["64:ff9b::7f00:1", "internal"],
  ["8.8.8.8", "public"],
  ["2606:4700::1111", "public"],
  ["::ffff:8.8.8.8", "public"],
])("%s is %s", (address, expected) => {
  expect(classifyAddress(address)).toBe(expected);
});

/** A resolver that answers with these addresses, one list a call, the last for ever. */
function resolver(...answers: string[][]): { resolve: typeof lookup; calls: string[] } {
  const calls: string[] = [];
  const resolve = ((name: string, _: object, callback: (error: null, found: object[]) => void) => {
    const addresses = answers[Math.min(calls.length, answers.length - 1)]!;
    calls.push(name);
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  }) as unknown as typeof lookup;
  return { resolve, calls };
}

describe("an endpoint's address is looked at when it is connected to", () => {
  it.each([
    "http://169.254.169.254",
    "http://[::ffff:169.254.169.254]",
    "http://[fd00:ec2::254]",
    "http://0xa9fea9fe",
    "http://2852039166",
  ])("%s is refused, once", async (url) => {
    const upstream = createUpstream({ config: { secret: () => undefined } });
    const endpoint = { url, model: "m", version: null, headers: {} };
    const observation = await upstream.send(
      endpoint,
      { call: "infer", headers: {}, body: Buffer.alloc(0) },
      { timeoutMs: 2_000, responseBytesMax: 1_000 },
    );
    expect(observation).toMatchObject({
      ok: false,
      failure: "network",
      message: expect.stringContaining("is refused"),
    });
    expect(observation.attempts.length).toBe(1);
    await expect(upstream.describe(endpoint)).rejects.toMatchObject({ code: "address_refused" });
    await upstream.close();
  });

  it("refuses a name that leads to a metadata service", async () => {
    const { resolve, calls } = resolver(["169.254.169.254"]);
    const agent = createGuardedAgent({ internal: "allow", resolve });
    await expect(
      agent.request({ origin: "http://models.test", path: "/", method: "GET" }),
    ).rejects.toMatchObject({
      code: "address_refused",
    });
    expect(calls).toEqual(["models.test"]);
    await agent.destroy();
  });

  it("uses what remains of a name that leads to several", async () => {
    const server = await startRawServer((socket) => socket.write(http(200)));
    const { resolve } = resolver(["169.254.169.254", "127.0.0.1"]);
    const agent = createGuardedAgent({ internal: "allow", resolve });
    const { statusCode } = await agent.request({
      origin: `http://models.test:${new URL(server.url).port}`,
      path: "/",
      method: "GET",
    });
    expect(statusCode).toBe(200);
    await agent.destroy();
    await server.close();
  });

  it("sees through a name that is bound anew between two connections", async () => {
    const server = await startRawServer((socket) => socket.end(`${http(200)}`));
    const { resolve, calls } = resolver(["127.0.0.1"], ["169.254.169.254"]);
    const agent = createGuardedAgent({ internal: "allow", resolve });
    const request = {
      origin: `http://models.test:${new URL(server.url).port}`,
      path: "/",
      method: "GET" as const,
      reset: true,
    };
    expect((await agent.request(request)).statusCode).toBe(200);
    await expect(agent.request(request)).rejects.toMatchObject({ code: "address_refused" });
    expect(calls.length).toBe(2);
    await agent.destroy();
    await server.close();
  });
});

describe("a webhook", () => {
  it("reaches an internal address only by the allow list", async () => {
    const server = await startRawServer((socket) => socket.write(http(200)));
    const { port } = new URL(server.url);
    const get = async (allowed: string[], host: string) => {
      const agent = createGuardedAgent({ internal: allowed });
      try {
        const { statusCode } = await agent.request({
          origin: `http://${host}:${port}`,
          path: "/",
          method: "POST",
        });
        return statusCode;
      } catch (error) {
        return (error as { code: string }).code;
      } finally {
        await agent.destroy();
      }
    };
    expect(await get([], "127.0.0.1")).toBe("address_refused");
    expect(await get([], "localhost")).toBe("address_refused");
    expect(await get([], "[::ffff:127.0.0.1]")).toBe("address_refused");
    expect(await get([`127.0.0.1:${Number(port) + 1}`], "127.0.0.1")).toBe("address_refused");
    expect(server.connections).toBe(0);
    expect(await get([`127.0.0.1:${port}`], "127.0.0.1")).toBe(200);
    expect(await get([`127.0.0.1:${port}`], "localhost")).toBe("address_refused");
    expect(await get([`localhost:${port}`], "localhost")).toBe(200);
    expect(server.requests.length).toBe(2);
    await server.close();
  });

  it("never reaches a metadata service, whatever is allowed", async () => {
    const agent = createGuardedAgent({ internal: ["169.254.169.254:80"] });
    await expect(
      agent.request({ origin: "http://169.254.169.254", path: "/", method: "GET" }),
    ).rejects.toMatchObject({
      code: "address_refused",
    });
    await agent.destroy();
  });
});
