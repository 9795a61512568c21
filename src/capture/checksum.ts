import { WebAssembly, type WebAssemblyMemory } from "../webassembly.js";
import { checksumBinary } from "./generated/checksum-binary.js";
import { sharedChecksumBinary } from "./generated/shared-checksum-binary.js";

/**
 * The lower half of the XXH64 of bytes from `from` to `to`: a third of the time that zlib's CRC-32 takes, and
 * WebAssembly reads shared memory where it lies.
 */
export type Checksum = (bytes: Uint8Array, from: number, to: number) => number;

/** What assembly/checksum.ts exports. */
interface ChecksumExports {
  begin(): void;
  takeStripes(from: number, to: number): void;
  end(from: number, to: number, total: number): number;
}

const stripeBytes = 32;
const windowBytes = 64 * 1024;

/** Of bytes anywhere: they are copied in, piece by piece. One serves a whole thread. */
export const checksum: Checksum = createChecksum();

function createChecksum(): Checksum {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const wasm = instantiate(checksumBinary, memory);
  const window = new Uint8Array(memory.buffer);
  return (bytes, from, to) => {
    wasm.begin();
    let at = from;
    let left = to - at;
    for (; left >= windowBytes; left = to - at) {
      window.set(bytes.subarray(at, at + windowBytes));
      wasm.takeStripes(0, windowBytes);
      at += windowBytes;
    }
    window.set(bytes.subarray(at, to));
    const whole = left - (left % stripeBytes);
    wasm.takeStripes(0, whole);
    return wasm.end(whole, left, to - from) >>> 0;
  };
}

/** Of bytes in this memory, which threads share, where they lie; of others as {@link checksum} does. */
export function createSharedChecksum(memory: WebAssemblyMemory<SharedArrayBuffer>): Checksum {
  const wasm = instantiate(sharedChecksumBinary, memory);
  return (bytes, from, to) => {
    if (bytes.buffer !== memory.buffer) return checksum(bytes, from, to);
    const at = bytes.byteOffset + from;
    const end = bytes.byteOffset + to;
    const whole = end - ((to - from) % stripeBytes);
    wasm.begin();
    wasm.takeStripes(at, whole);
    return wasm.end(whole, end, to - from) >>> 0;
  };
}

function instantiate(binary: Uint8Array, memory: WebAssemblyMemory): ChecksumExports {
  const module = new WebAssembly.Module(binary);
  return new WebAssembly.Instance(module, { env: { memory } }).exports as ChecksumExports;
}
