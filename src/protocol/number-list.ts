import { WebAssembly } from "../webassembly.js";
import { numberListBinary } from "./generated/number-list-binary.js";

/** A list of numbers of which at least one is not whole; `end` is behind its closing bracket. */
export interface NumberList {
  count: number;
  end: number;
}

/**
 * Checks the grammar of the flat list of numbers behind an opening bracket at `start`. Its numbers have at most nine
 * digits before the point and no exponent that makes them greater, and spaces stand only before them. null: it is not
 * such a list, or all its numbers are whole; that says nothing against it.
 */
export type NumberListScanner = (bytes: Uint8Array, start: number) => NumberList | null;

/** What assembly/number-list.ts exports. */
interface ScannerExports {
  memory: { buffer: ArrayBuffer };
  window: { readonly value: number };
  windowBytes: { readonly value: number };
  goesOn: { readonly value: number };
  begin(): void;
  scan(bytes: number): number;
  count(): number;
  hasFraction(): number;
}

/** Of a list, copied first; whole blocks. */
const firstBytes = 512;

/** In WebAssembly with 128-bit SIMD, a tenth of what it costs to look at each character; null where there is none. */
function createScanner(): NumberListScanner | null {
  if (!WebAssembly.validate(numberListBinary)) return null;
  const wasm = new WebAssembly.Instance(new WebAssembly.Module(numberListBinary)).exports as ScannerExports;
  const size = wasm.windowBytes.value;
  const window = new Uint8Array(wasm.memory.buffer, wasm.window.value, size);
  const goesOn = wasm.goesOn.value;
  return (bytes, start) => {
    wasm.begin();
    // Most lists are short, and a message can be full of them: no more is copied than one is likely to take.
    for (let at = start, bytesMax = firstBytes; at < bytes.length; at += bytesMax, bytesMax = size) {
      const part = bytes.subarray(at, at + bytesMax);
      window.set(part);
      const end = wasm.scan(part.length);
      if (end === goesOn) continue;
      return end >= 0 && wasm.hasFraction() ? { count: wasm.count(), end: at + end + 1 } : null;
    }
    return null;
  };
}

/** One serves a whole process: between calls, which are synchronous, its memory holds nothing. */
export const scanNumberList: NumberListScanner | null = createScanner();
