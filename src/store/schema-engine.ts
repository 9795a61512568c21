import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { SchemaEngine } from "@prisma/schema-engine-wasm";

export type { SchemaEngine };

// Declared in TypeScript's DOM library only.
declare const WebAssembly: {
  instantiate(
    code: Uint8Array,
    imports: Record<string, unknown>,
  ): Promise<{ instance: { exports: Record<string, unknown> } }>;
};

type Bindings = typeof import("@prisma/schema-engine-wasm/schema_engine_bg");

const engineModule = "@prisma/schema-engine-wasm/schema_engine_bg";

let bindings: Promise<Bindings> | undefined;

/**
 * Prisma's schema engine as WebAssembly; its other form is a binary that would have to be downloaded. The package's
 * entry imports the .wasm file, which Node 20 does only behind a flag, so it is instantiated by hand; and once, since
 * its bindings have room for one instance.
 */
export function loadSchemaEngine(): Promise<Bindings> {
  bindings ??= instantiate();
  return bindings;
}

async function instantiate(): Promise<Bindings> {
  const glue: Bindings = await import(engineModule);
  const file = createRequire(import.meta.url)
    .resolve(engineModule)
    .replace(/\.js$/, ".wasm");
  const { instance } = await WebAssembly.instantiate(await readFile(file), {
    "./schema_engine_bg.js": glue,
  });
  // Without this registry a panic inside the engine dies on its absence and hides its own message.
  Object.assign(globalThis, { PRISMA_WASM_PANIC_REGISTRY: { set_message() {} } });
  glue.__wbg_set_wasm(instance.exports);
  (instance.exports["__wbindgen_start"] as () => void)();
  return glue;
}
