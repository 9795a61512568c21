import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

function findPackageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** The folder of this package: the checkout, or its place under `node_modules`. */
export const packageRoot = findPackageRoot();

/** The built command line, which child processes are started from. */
export const cliMain = join(packageRoot, "dist/src/cli/main.js");

export const migrationsDir = join(packageRoot, "prisma/migrations");
export const schemaFile = join(packageRoot, "prisma/schema.prisma");
/** The built reviewer page. */
export const webRoot = join(packageRoot, "dist/web");
export const digitsDir = join(packageRoot, "examples/digits");

export const packageVersion = (
  JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string }
).version;
