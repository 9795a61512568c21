// Compiles assembly/ into TypeScript modules that carry the binaries, so that they are found wherever the TypeScript is:
// in dist/, under vitest, in a bundle. `npm run build` does this first. With --check it only says, by its exit code,
// whether the modules are what assembly/ compiles to.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import asc from "assemblyscript/asc";

const kernels = [
  { source: "assembly/kernel.ts", name: "kernelBinary", target: "src/compare/generated/kernel-binary.ts" },
  {
    source: "assembly/number-list.ts",
    name: "numberListBinary",
    target: "src/protocol/generated/number-list-binary.ts",
  },
  {
    source: "assembly/checksum.ts",
    name: "checksumBinary",
    target: "src/capture/generated/checksum-binary.ts",
    options: ["--importMemory"],
  },
  // The same over memory that threads share. Its limit is the most that WebAssembly can have: the host gives less.
  {
    source: "assembly/checksum.ts",
    name: "sharedChecksumBinary",
    target: "src/capture/generated/shared-checksum-binary.ts",
    options: ["--importMemory", "--sharedMemory", "--maximumMemory", "65536", "--enable", "threads"],
  },
];
const common = ["--outFile", "kernel.wasm", "-O3", "--noAssert", "--runtime", "stub", "--enable", "simd"];

async function compiled(source, options) {
  let binary;
  const { error, stderr } = await asc.main([source, ...common, ...options], {
    writeFile: (_, contents) => {
      binary = Buffer.from(contents);
    },
  });
  if (error) {
    process.stderr.write(stderr.toString());
    throw error;
  }
  return binary;
}

for (const { source, name, target, options = [] } of kernels) {
  const binary = await compiled(source, options);
  const module = `// Compiled from ${source} by scripts/build-kernel.mjs.
export const ${name}: Uint8Array = Buffer.from("${binary.toString("base64")}", "base64");
`;
  if (process.argv.includes("--check")) {
    const isCurrent = existsSync(target) && readFileSync(target, "utf8") === module;
    if (!isCurrent) process.stderr.write(`${target} is not what ${source} compiles to: npm run build\n`);
    if (!isCurrent) process.exitCode = 1;
  } else {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, module);
  }
}
