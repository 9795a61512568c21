import { homedir, hostname } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { UnderstudyError } from "./errors.js";

const port = z.coerce
  .number({ error: "must be a port number" })
  .int("must be a whole number")
  .min(0, "must be 0 (any free port) or more")
  .max(65535, "must be at most 65535");

const count = (min: number, max: number) =>
  z.coerce
    .number({ error: "must be a number" })
    .int("must be a whole number")
    .min(min, `must be at least ${min}`)
    .max(max, `must be at most ${max}`);

const urlOf = (...protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    error: `must be a URL that starts with ${protocols.map((p) => `${p}//`).join(" or ")}`,
  });

/** Every setting, by the name of its environment variable. */
const settings = z.object({
  DATABASE_URL: urlOf("postgres:", "postgresql:").optional(),
  REDIS_URL: urlOf("redis:", "rediss:").optional(),
  UNDERSTUDY_DATA_DIR: z.string().min(1).default(".understudy"),
  UNDERSTUDY_HOST: z.string().min(1).default("127.0.0.1"),
  UNDERSTUDY_GATEWAY_PORT: port.default(8000),
  UNDERSTUDY_GATEWAY_WORKERS: count(1, 64).default(1),
  UNDERSTUDY_GATEWAY_DRAIN_MS: count(0, 600_000).default(3_500),
  UNDERSTUDY_GATEWAY_KEEPALIVE_MS: count(1, 3_600_000).default(75_000),
  UNDERSTUDY_GATEWAY_HEAD_MS: count(10, 3_600_000).default(30_000),
  UNDERSTUDY_GATEWAY_REQUEST_MS: count(10, 86_400_000).default(300_000),
  UNDERSTUDY_GATEWAY_HEAD_BYTES_MAX: count(1024, 16 * 1024 ** 2).default(64 * 1024),
  UNDERSTUDY_GATEWAY_CONNECTIONS_MAX: count(1, 1_000_000).default(10_000),
  UNDERSTUDY_GATEWAY_CLIENT_SILENCE_MS: count(10, 86_400_000).default(300_000),
  UNDERSTUDY_GATEWAY_PRIMARY_CONNECT_MS: count(10, 600_000).default(5_000),
  UNDERSTUDY_GATEWAY_PRIMARY_ANSWER_MS: count(10, 86_400_000).default(300_000),
  UNDERSTUDY_GATEWAY_PRIMARY_SILENCE_MS: count(10, 86_400_000).default(300_000),
  UNDERSTUDY_GATEWAY_PRIMARY_KEEPALIVE_MS: count(1, 3_600_000).default(4_000),
  UNDERSTUDY_GATEWAY_PRIMARY_CONNECTIONS: count(0, 1_000_000).default(0),
  UNDERSTUDY_GATEWAY_PRIMARY_WAITING_MAX: count(0, 1_000_000).default(1_000),
  UNDERSTUDY_GATEWAY_PRIMARY_AVOID_MS: count(0, 3_600_000).default(5_000),
  UNDERSTUDY_CA_FILE: z.string().min(1).optional(),
  UNDERSTUDY_CONTROL_PORT: port.default(8080),
  UNDERSTUDY_METRICS_PORT: port.default(0),
  UNDERSTUDY_MODEL_SERVER_PORT: port.default(0),
  UNDERSTUDY_BLOBS: z
    .string()
    .regex(
      /^(file:.+|s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/.*)?)$/,
      "must be file:PATH or s3://BUCKET/PREFIX",
    )
    .optional(),
  AWS_ENDPOINT_URL: urlOf("http:", "https:").optional(),
  AWS_ENDPOINT_URL_S3: urlOf("http:", "https:").optional(),
  UNDERSTUDY_MODELS_DIR: z.string().min(1).default("models"),
  UNDERSTUDY_CONTROL_URL: urlOf("http:", "https:").default("http://127.0.0.1:8080"),
  UNDERSTUDY_DEFAULT_PRIMARY: urlOf("http:", "https:").optional(),
  UNDERSTUDY_WEBHOOK_ALLOW: z.string().default(""),
  UNDERSTUDY_LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace"]).default("info"),
  UNDERSTUDY_WORKER_CONCURRENCY: count(1, 256).default(8),
  UNDERSTUDY_REPLAY_TIMEOUT_MS: count(10, 600_000).default(10_000),
  UNDERSTUDY_CONTROL_SHARE: z.coerce
    .number({ error: "must be a number" })
    .min(0, "must be at least 0")
    .max(1, "must be at most 1, being a fraction")
    .default(0.1),
  UNDERSTUDY_SPOOL_BYTES_MAX: count(1_048_576, Number.MAX_SAFE_INTEGER).default(8 * 1024 ** 3),
  UNDERSTUDY_BODY_BYTES_MAX: count(1024, 1024 ** 3).default(16 * 1024 ** 2),
  UNDERSTUDY_RETENTION_DAYS: count(1, 36_500).default(14),
  // A window of an alert is up to seven days long, and wants its minutes.
  UNDERSTUDY_ROLLUP_MINUTE_DAYS: count(8, 36_500).default(35),
  UNDERSTUDY_ROLLUP_HOUR_DAYS: count(8, 36_500).default(400),
  UNDERSTUDY_LARGE_BODY_BYTES: count(1024, 1024 ** 3).default(256 * 1024),
  UNDERSTUDY_REDACTION_KEY: z.string().min(32, "must have at least 32 characters").optional(),
  UNDERSTUDY_BUFFER_BYTES: count(1_048_576, 1024 ** 3).default(64 * 1024 ** 2),
});

const schema = settings.refine(
  ({ UNDERSTUDY_BODY_BYTES_MAX, UNDERSTUDY_BUFFER_BYTES }) =>
    UNDERSTUDY_BODY_BYTES_MAX <= UNDERSTUDY_BUFFER_BYTES / 4,
  {
    path: ["UNDERSTUDY_BODY_BYTES_MAX"],
    // Only what takes up to half of the buffer is sure to find room in it: a request and its answer.
    error: "must be at most a quarter of UNDERSTUDY_BUFFER_BYTES, or the largest captures never fit",
  },
);

/** Limits of the data plane; docs/gateway.md gives the reason of each. */
export interface GatewaySettings {
  /** Processes that serve. */
  workers: number;
  /** How long what is under way may take to end after a signal. */
  drainMs: number;
  /** How long a client's idle connection is kept. */
  keepAliveMs: number;
  /** How long a client may take for its head, and for its whole request, the head included. */
  headMs: number;
  requestMs: number;
  /** Largest head of a request or an answer. */
  headBytesMax: number;
  connectionsMax: number;
  /** How long a client may take nothing of the answer that it is sent. */
  clientSilenceMs: number;
  primaryConnectMs: number;
  /** From a request's end to the head of its answer. */
  primaryAnswerMs: number;
  /** Between two pieces of an answer. */
  primarySilenceMs: number;
  /** How long an idle connection to a primary is kept, unless it says itself. */
  primaryKeepAliveMs: number;
  /** To one primary; 0: as many as there are requests. */
  primaryConnections: number;
  /** Requests that wait for one of those connections at most, for each primary. */
  primaryWaitingMax: number;
  /** How long a replica that refused a connection is left out. */
  primaryAvoidMs: number;
}

/** The settings of one process. Paths are absolute. */
export interface Config {
  /** Given, or filled in by `understudy up` once the embedded Postgres runs. */
  databaseUrl: string | undefined;
  redisUrl: string | undefined;
  dataDir: string;
  host: string;
  gatewayPort: number;
  gateway: GatewaySettings;
  /** A file of certificates of authorities, in PEM, that endpoints may have beside the usual ones. */
  caFile: string | undefined;
  controlPort: number;
  metricsPort: number;
  modelServerPort: number;
  /** `file:/absolute/path` or `s3://bucket/prefix`. */
  blobs: string;
  /** An S3-compatible server other than AWS' own. Region and credentials are found by the AWS SDK. */
  s3Endpoint: string | undefined;
  modelsDir: string;
  controlUrl: string;
  /** Where the gateway sends requests for models that no deployment names. */
  defaultPrimary: string | undefined;
  /** `host:port` pairs to which webhooks may go although the address is private. */
  webhookAllow: readonly string[];
  logLevel: z.infer<typeof schema>["UNDERSTUDY_LOG_LEVEL"];
  /** Works that one worker process has in hand at a time. */
  workerConcurrency: number;
  replayTimeoutMs: number;
  /** Share of the base sample that is replayed to the control as well, where a deployment names one. */
  controlShare: number;
  spoolBytesMax: number;
  /** Largest request or response body that is captured. */
  bodyBytesMax: number;
  /** Bodies above this are stored once under their hash, outside the segment. */
  largeBodyBytes: number;
  /** Whole days that captures and what hangs on them are kept after their own day has ended. */
  retentionDays: number;
  /** Whole days that counts of single minutes, and of single hours, are kept. Those of days stay. */
  rollupDays: { minuteDays: number; hourDays: number };
  /** Key of the hashes that redaction makes. */
  redactionKey: string | undefined;
  /** Memory between the serving thread and the capture side. */
  bufferBytes: number;
  /** Name of this process's machine, for people. */
  hostname: string;
  /** What these settings were read from, to hand on to child processes. */
  environment: NodeJS.ProcessEnv;
  /** Value of a secret named in an endpoint's `headers`: `UNDERSTUDY_SECRET_<NAME>`. */
  secret: (name: string) => string | undefined;
}

/**
 * Reads the environment, the only place that does.
 * @throws UnderstudyError `config_invalid` that lists every fault at once.
 */
export function loadConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  // An empty variable is an absent one: `REDIS_URL= understudy up` is how a shell takes a setting away.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
    throw new UnderstudyError(
      "config_invalid",
      `Invalid settings:\n${faults.map((f) => `  - ${f}`).join("\n")}`,
      {
        hint: "Correct these environment variables and start again; docs/configuration.md lists them all.",
        details: { faults },
      },
    );
  }
  const env = parsed.data;
  const dataDir = resolve(env.UNDERSTUDY_DATA_DIR.replace(/^~(?=\/|$)/, homedir()));
  const blobs = env.UNDERSTUDY_BLOBS ?? `file:${join(dataDir, "blobs")}`;
  return {
    databaseUrl: env.DATABASE_URL,
    redisUrl: env.REDIS_URL,
    dataDir,
    host: env.UNDERSTUDY_HOST,
    gatewayPort: env.UNDERSTUDY_GATEWAY_PORT,
    gateway: {
      workers: env.UNDERSTUDY_GATEWAY_WORKERS,
      drainMs: env.UNDERSTUDY_GATEWAY_DRAIN_MS,
      keepAliveMs: env.UNDERSTUDY_GATEWAY_KEEPALIVE_MS,
      headMs: Math.min(env.UNDERSTUDY_GATEWAY_HEAD_MS, env.UNDERSTUDY_GATEWAY_REQUEST_MS),
      requestMs: env.UNDERSTUDY_GATEWAY_REQUEST_MS,
      headBytesMax: env.UNDERSTUDY_GATEWAY_HEAD_BYTES_MAX,
      connectionsMax: env.UNDERSTUDY_GATEWAY_CONNECTIONS_MAX,
      clientSilenceMs: env.UNDERSTUDY_GATEWAY_CLIENT_SILENCE_MS,
      primaryConnectMs: env.UNDERSTUDY_GATEWAY_PRIMARY_CONNECT_MS,
      primaryAnswerMs: env.UNDERSTUDY_GATEWAY_PRIMARY_ANSWER_MS,
      primarySilenceMs: env.UNDERSTUDY_GATEWAY_PRIMARY_SILENCE_MS,
      primaryKeepAliveMs: env.UNDERSTUDY_GATEWAY_PRIMARY_KEEPALIVE_MS,
      primaryConnections: env.UNDERSTUDY_GATEWAY_PRIMARY_CONNECTIONS,
      primaryWaitingMax: env.UNDERSTUDY_GATEWAY_PRIMARY_WAITING_MAX,
      primaryAvoidMs: env.UNDERSTUDY_GATEWAY_PRIMARY_AVOID_MS,
    },
    caFile: env.UNDERSTUDY_CA_FILE === undefined ? undefined : resolve(env.UNDERSTUDY_CA_FILE),
    controlPort: env.UNDERSTUDY_CONTROL_PORT,
    metricsPort: env.UNDERSTUDY_METRICS_PORT,
    modelServerPort: env.UNDERSTUDY_MODEL_SERVER_PORT,
    blobs: blobs.startsWith("file:") ? `file:${resolve(blobs.slice("file:".length))}` : blobs,
    s3Endpoint: env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL,
    modelsDir: resolve(env.UNDERSTUDY_MODELS_DIR),
    controlUrl: env.UNDERSTUDY_CONTROL_URL.replace(/\/+$/, ""),
    defaultPrimary: env.UNDERSTUDY_DEFAULT_PRIMARY?.replace(/\/+$/, ""),
    webhookAllow: env.UNDERSTUDY_WEBHOOK_ALLOW.split(",")
      .map((entry) => entry.trim())
      .filter((entry) => entry !== ""),
    logLevel: env.UNDERSTUDY_LOG_LEVEL,
    workerConcurrency: env.UNDERSTUDY_WORKER_CONCURRENCY,
    replayTimeoutMs: env.UNDERSTUDY_REPLAY_TIMEOUT_MS,
    controlShare: env.UNDERSTUDY_CONTROL_SHARE,
    spoolBytesMax: env.UNDERSTUDY_SPOOL_BYTES_MAX,
    bodyBytesMax: env.UNDERSTUDY_BODY_BYTES_MAX,
    largeBodyBytes: env.UNDERSTUDY_LARGE_BODY_BYTES,
    retentionDays: env.UNDERSTUDY_RETENTION_DAYS,
    rollupDays: {
      minuteDays: env.UNDERSTUDY_ROLLUP_MINUTE_DAYS,
      hourDays: env.UNDERSTUDY_ROLLUP_HOUR_DAYS,
    },
    redactionKey: env.UNDERSTUDY_REDACTION_KEY,
    bufferBytes: env.UNDERSTUDY_BUFFER_BYTES,
    hostname: hostname(),
    environment: given,
    secret: (name) => given[`UNDERSTUDY_SECRET_${name.toUpperCase().replace(/[^A-Z0-9]/g, "_")}`],
  };
}
