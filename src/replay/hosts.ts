import type { Config } from "../config.js";
import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import { type HostedModel, hostOnnxModel } from "../model-server/host.js";
import type { Endpoint } from "../upstream/endpoint.js";

/** A model that nobody asked for this long is put away. */
const idleMs = 10 * 60_000;

const scheme = "onnx:";

/** Whether this process serves the endpoint's model itself. */
export function isHosted({ url }: Endpoint): boolean {
  return url.startsWith(scheme);
}

/** The ONNX files that this process serves for its own replays: one model server per file and digest. */
export interface Hosts {
  /**
   * Calls `act` with an endpoint that can be sent to: for an `onnx:` endpoint that of its model server, which is
   * started when it is first needed; any other as it is.
   * @throws UnderstudyError `model_invalid` and what else keeps a model from being served
   */
  use<Result>(
    endpoint: Endpoint,
    sha256: string | null,
    act: (endpoint: Endpoint) => Promise<Result>,
  ): Promise<Result>;
  close(): Promise<void>;
}

interface Entry {
  model: Promise<HostedModel>;
  users: number;
  usedMs: number;
}

/** @param host starts a model server */
export function createHosts(deps: { config: Config; log: Logger; host?: typeof hostOnnxModel }): Hosts {
  const { config, log, host = hostOnnxModel } = deps;
  const entries = new Map<string, Entry>();

  function put(key: string): Promise<void> {
    const entry = entries.get(key);
    entries.delete(key);
    return entry === undefined
      ? Promise.resolve()
      : entry.model
          .then((model) => model.close())
          .catch((error) => log.warn({ error: messageOf(error) }, "model server not closed"));
  }

  const sweep = setInterval(() => {
    for (const [key, { users, usedMs }] of entries) {
      if (users === 0 && performance.now() - usedMs > idleMs) void put(key);
    }
  }, 60_000);
  sweep.unref();

  return {
    async use(endpoint, sha256, act) {
      if (!isHosted(endpoint)) return act(endpoint);
      const path = endpoint.url.slice(scheme.length);
      const key = JSON.stringify([path, sha256, endpoint.model]);
      let entry = entries.get(key);
      if (entry === undefined) {
        const model = host({ config, log, name: endpoint.model, path, sha256: sha256 ?? undefined });
        entry = { model, users: 0, usedMs: 0 };
        entries.set(key, entry);
        model.catch(() => entries.delete(key));
      }
      entry.users += 1;
      try {
        return await act((await entry.model).endpoint);
      } finally {
        entry.users -= 1;
        entry.usedMs = performance.now();
      }
    },
    close: async () => {
      clearInterval(sweep);
      await Promise.all([...entries.keys()].map(put));
    },
  };
}
