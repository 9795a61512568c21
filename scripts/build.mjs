// Builds everything a checkout needs: Prisma client, comparison kernel, TypeScript, the reviewer page.
// Runs as `prepare`, so `npm ci` alone gives a working tree.
import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/** Path of a package's executable, read from its own `bin` field. */
function bin(packageName, name) {
  const manifestPath = require.resolve(`${packageName}/package.json`);
  const manifest = require(manifestPath);
  const relative = typeof manifest.bin === "string" ? manifest.bin : manifest.bin[name];
  return join(dirname(manifestPath), relative);
}

function node(script, args, env = {}) {
  execFileSync(process.execPath, [script, ...args], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...env },
  });
}

/** When anything in a file or folder changed last; a folder's own time tells of what was taken out of it. */
function changedMs(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => changedMs(join(path, name))));
}

const sources = ["assembly", "bench", "prisma", "scripts", "src", "web", "workers"];
const settings = [
  "package-lock.json",
  "package.json",
  "prisma.config.ts",
  "tsconfig.build.json",
  "tsconfig.json",
];
const built = "dist/.built";

/** `npx understudy` in a checkout prepares it again, and what runs from it must not lose its files meanwhile. */
function isBuilt() {
  const builtMs = statSync(built, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return [...sources, ...settings].every((path) => changedMs(path) <= builtMs);
}

if (isBuilt()) process.exit(0);
rmSync("dist", { recursive: true, force: true });
// Any existing executable keeps the Prisma CLI from downloading a schema engine that `generate` does not use.
node(bin("prisma", "prisma"), ["generate"], {
  PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
  PRISMA_HIDE_UPDATE_MESSAGE: "1",
  CHECKPOINT_DISABLE: "1",
});
node("scripts/build-kernel.mjs", []);
node(bin("typescript", "tsc"), ["-p", "tsconfig.build.json"]);
chmodSync("dist/src/cli/main.js", 0o755);
node(bin("vite", "vite"), ["build", "web", "--logLevel", "warn"]);
writeFileSync(built, "");
