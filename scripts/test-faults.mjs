// npm run test:faults -- [--seed N] [--kill-minutes N] [--away SECONDS] [FILTER…]: the fault suite, under a schedule of faults that the seed decides.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    "kill-minutes": { type: "string", default: "0.6" },
    away: { type: "string", default: "60" },
  },
});
const seed = Number(values.seed);
const minutes = Number(values["kill-minutes"]);
const away = Number(values.away);
if (!Number.isSafeInteger(seed) || !(minutes > 0) || !(away > 0)) {
  process.stderr.write(
    "usage: npm run test:faults -- [--seed WHOLE-NUMBER] [--kill-minutes N] [--away SECONDS] [FILTER…]\n",
  );
  process.exit(2);
}
process.stderr.write(`seed ${seed}\n`);
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
const { status } = spawnSync(process.execPath, [vitest, "run", "--project", "faults", ...positionals], {
  stdio: "inherit",
  env: {
    ...process.env,
    UNDERSTUDY_FAULT_SEED: String(seed),
    UNDERSTUDY_FAULT_KILL_MINUTES: String(minutes),
    UNDERSTUDY_FAULT_AWAY_SECONDS: String(away),
  },
});
process.exit(status ?? 1);
