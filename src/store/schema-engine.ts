import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { SchemaEngine } from "@prisma/schema-engine-wasm";

export type { SchemaEngine };

// Declared in TypeScript's DOM library only.
declare const WebAssembly: {
  instantiate(
    code: Uint8Array,
    imports: Record<string, unknown>,
  ): Promise<{ instance: { exports: Record<string, unknown> & { __wbindgen_start?: unknown } } }>;
};

type Bindings = typeof import("@prisma/schema-engine-wasm/schema_engine_bg");

const engineModule = "@prisma/schema-engine-wasm/schema_engine_bg";

const slot = Symbol.for("understudy.schema-engine");

/**
 * Prisma's schema engine as WebAssembly; its other form is a binary that would have to be downloaded. The package's
 * entry imports the .wasm file, which Node 20 does only behind a flag, so it is instantiated by hand; and once in a
 * process, since its bindings have room for one instance: a second would work on the memory of the first.
 */
export function loadSchemaEngine(): Promise<Bindings> {
  const shared = globalThis as { [slot]?: Promise<Bindings> };
  shared[slot] ??= instantiate();
  return shared[slot];
}

async function instantiate(): Promise<Bindings> {
  const glue: Bindings = await import(engineModule);
  const file = createRequire(import.meta.url)
    .resolve(engineModule)
    .replace(/\.js$/, ".wasm");
  const { instance } = await WebAssembly.instantiate(await readFile(file), {
    "./schema_engine_bg.js": { ...glue, ...restlessTimers(glue) },
  });
  // Without this registry a panic inside the engine dies on its absence and hides its own message.
  Object.assign(globalThis, { PRISMA_WASM_PANIC_REGISTRY: { set_message() {} } });
  glue.__wbg_set_wasm(instance.exports);
  (instance.exports.__wbindgen_start as () => void)();
  return glue;
}

/** The engine never clears the 10 s timeout of its own lock; the process must not have to wait for it at its end. */
function restlessTimers(glue: object): Record<string, unknown> {
  const timers = Object.entries(glue).filter(([name]) => name.startsWith("__wbg_setTimeout_"));
  return Object.fromEntries(
    timers.map(([name, start]: [string, (...args: unknown[]) => NodeJS.Timeout]) => [
      name,
      (...args: unknown[]) => start(...args).unref(),
    ]),
  );
}
