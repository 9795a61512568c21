import fc from "fast-check";
import { expect, test } from "vitest";
import xxhash from "xxhash-wasm";
import { checksum, createSharedChecksum } from "../../src/capture/checksum.js";
import { WebAssembly } from "../../src/webassembly.js";

const { h64Raw } = await xxhash();
const lowerHalf = (bytes: Uint8Array) => Number(h64Raw(bytes) & 0xffff_ffffn);

const memory = new WebAssembly.Memory({ initial: 8, maximum: 8, shared: true });
const shared = new Uint8Array(memory.buffer);
const sharedChecksum = createSharedChecksum(memory);

test("is the lower half of XXH64, of all bytes between two places, wherever they lie", () => {
  // About every edge: of what is taken in one by one, by fours and eights, by stripes, and copied in at a time.
  const edges = [0, 4, 8, 32, 64, 65_536, 131_072].flatMap((edge) => [edge - 1, edge, edge + 1, edge + 13]);
  const length = fc.oneof(fc.constantFrom(...edges.filter((bytes) => bytes >= 0)), fc.nat(200_000));
  fc.assert(
    fc.property(length, fc.nat(40), fc.uint8Array({ minLength: 7, maxLength: 7 }), (bytes, before, seed) => {
      const all = Uint8Array.from({ length: before + bytes + 5 }, (_, at) => seed[at % 7]! + at * 31);
      const expected = lowerHalf(all.subarray(before, before + bytes));
      expect(checksum(all, before, before + bytes)).toBe(expected);
      expect(sharedChecksum(all, before, before + bytes)).toBe(expected);
      shared.set(all, 100);
      expect(sharedChecksum(shared, 100 + before, 100 + before + bytes)).toBe(expected);
      expect(sharedChecksum(shared.subarray(100), before, before + bytes)).toBe(expected);
    }),
  );
});
