import type { Bench, BenchContext } from "./bench.js";

/** `npm run bench -- NAME [--json] [--seconds=N] [--size=N]`. The last line on stdout is the result; with --json it is the only one. */
const benches: Record<string, () => Promise<{ bench: Bench }>> = {
  gateway: () => import("./gateway.js"),
  "gateway-soak": () => import("./gateway-soak.js"),
  kernel: () => import("./kernel.js"),
  replay: () => import("./replay.js"),
  pipeline: () => import("./pipeline.js"),
  store: () => import("./store.js"),
  dashboard: () => import("./dashboard.js"),
  stats: () => import("./stats.js"),
};

const [name = "", ...flags] = process.argv.slice(2);
const load = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (load === undefined || flags.some((flag) => !/^--(json|seconds=\d+|size=\d+)$/.test(flag))) {
  process.stderr.write(
    `usage: npm run bench -- NAME [--json] [--seconds=N] [--size=N]\nbenchmarks: ${Object.keys(benches).join(" ")}\n`,
  );
  process.exit(2);
}

function numberOf(flag: string): number | null {
  return Number(flags.find((given) => given.startsWith(flag))?.slice(flag.length)) || null;
}

const closers: (() => unknown)[] = [];
let closing: Promise<void> | null = null;
// Once: a benchmark that fails because a signal ends it waits for the same end.
function close(): Promise<void> {
  closing ??= (async () => {
    for (let closer = closers.pop(); closer; closer = closers.pop()) await closer();
  })();
  return closing;
}
const context: BenchContext = {
  say: (line) => (flags.includes("--json") ? process.stderr : process.stdout).write(`${line}\n`),
  onEnd: (closer) => closers.push(closer),
  seconds: numberOf("--seconds="),
  size: numberOf("--size="),
};
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.once(signal, () => void close().finally(() => process.exit(code)));
}

const { bench } = await load();
try {
  const { ratios, missing } = await bench(context);
  process.stdout.write(`${JSON.stringify({ bench: name, ratios: rounded(ratios), missing })}\n`);
} finally {
  await close();
}

/** Three digits: what is beyond them is noise. */
function rounded(ratios: Record<string, number>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(ratios).map(([key, ratio]) => [key, Number(ratio.toPrecision(3))]),
  );
}
