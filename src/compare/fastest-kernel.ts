import type { Kernel } from "./kernel.js";
import { plainKernel } from "./plain-kernel.js";
import { createWasmKernel } from "./wasm-kernel.js";

/**
 * The WebAssembly kernel, or the plain one where that cannot run. One serves a whole process: between calls, which
 * are synchronous, its memory holds nothing.
 */
export const fastestKernel: Kernel = createWasmKernel() ?? plainKernel;
