import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config.js";
import { startGateway } from "../../src/gateway/service.js";
import { createLogger } from "../../src/log.js";

export interface TestGateway {
  readonly url: string;
  readonly port: number;
  readonly metrics: string;
  readonly dataDir: string;
  /** Closes; the data stay. */
  close(): Promise<void>;
  /** Closes and removes the data. */
  remove(): Promise<void>;
}

/** A gateway in this process, on free ports. */
export async function startTestGateway(
  env: NodeJS.ProcessEnv,
  options: { dataDir?: string } = {},
): Promise<TestGateway> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "understudy-gateway-")));
  const config = loadConfig({
    UNDERSTUDY_DATA_DIR: dataDir,
    UNDERSTUDY_GATEWAY_PORT: "0",
    UNDERSTUDY_LOG_LEVEL: "fatal",
    ...env,
  });
  const service = await startGateway({ config, log: createLogger(config, "gateway") });
  let closing: Promise<void> | null = null;
  const close = () => {
    closing ??= service.close();
    return closing;
  };
  return {
    url: String(service.ready.url),
    port: Number(service.ready.port),
    metrics: String(service.ready.metrics),
    dataDir,
    close,
    async remove() {
      await close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
