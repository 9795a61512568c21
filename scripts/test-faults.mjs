// npm run test:faults -- [--seed N] [FILTER…]: the fault suite, under a schedule of faults that the seed decides.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    minutes: { type: "string", default: "5" },
  },
});
const seed = Number(values.seed);
const minutes = Number(values.minutes);
if (!Number.isSafeInteger(seed) || !(minutes > 0)) {
  process.stderr.write("usage: npm run test:faults -- [--seed WHOLE-NUMBER] [--minutes N] [FILTER…]\n");
  process.exit(2);
}
process.stderr.write(`seed ${seed}\n`);
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
const { status } = spawnSync(process.execPath, [vitest, "run", "--project", "faults", ...positionals], {
  stdio: "inherit",
  env: {
    ...process.env,
    UNDERSTUDY_FAULT_SEED: String(seed),
    UNDERSTUDY_FAULT_MINUTES: String(minutes),
  },
});
process.exit(status ?? 1);
