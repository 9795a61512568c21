// Compiles assembly/ into a TypeScript module that carries the binary, so that it is found wherever the TypeScript is:
// in dist/, under vitest, in a bundle. `npm run build` does this first. With --check it only says, by its exit code,
// whether the module is what assembly/ compiles to.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import asc from "assemblyscript/asc";

const target = "src/compare/generated/kernel-binary.ts";

let binary;
const { error, stderr } = await asc.main(
  [
    "assembly/kernel.ts",
    "--outFile",
    "kernel.wasm",
    "-O3",
    "--noAssert",
    "--runtime",
    "stub",
    "--enable",
    "simd",
  ],
  {
    writeFile: (_, contents) => {
      binary = Buffer.from(contents);
    },
  },
);
if (error) {
  process.stderr.write(stderr.toString());
  throw error;
}
const module = `// Compiled from assembly/ by scripts/build-kernel.mjs.
export const kernelBinary: Uint8Array = Buffer.from("${binary.toString("base64")}", "base64");
`;
if (process.argv.includes("--check")) {
  const isCurrent = existsSync(target) && readFileSync(target, "utf8") === module;
  if (!isCurrent) process.stderr.write(`${target} is not what assembly/ compiles to: npm run build\n`);
  process.exitCode = isCurrent ? 0 : 1;
} else {
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, module);
}
