import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BlobStore } from "../../src/blobs/blobs.js";

/** A store to be tested, and a second way to it that sees what it holds. */
export interface StoreUnderTest {
  blobs: BlobStore;
  /** Every key that anybody could see, in no order. */
  keys(): Promise<string[]>;
  stop(): Promise<void>;
}

const key = "segments/1/2026-11-22/0193.parquet";
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** What any blob store must do. */
export function conformance(name: string, start: () => Promise<StoreUnderTest>): void {
  describe(`blobs in ${name}`, () => {
    let under: StoreUnderTest;
    beforeAll(async () => {
      under = await start();
    });
    afterAll(() => under?.stop());

    test("keeps bytes, replaces them, deletes them twice without complaint", async () => {
      const { blobs } = under;
      await blobs.put(key, Buffer.from("one"));
      await blobs.put(key, Buffer.from("two"));
      expect((await blobs.get(key)).toString()).toBe("two");
      await blobs.delete(key);
      await blobs.delete(key);
      await expect(blobs.get(key)).rejects.toMatchObject({ code: "blob_missing" });
      expect(await under.keys()).toEqual([]);
    });

    test.each([0, 1, 65_537, 9_000_000])("gives %i bytes back as they were", async (length) => {
      const bytes = randomBytes(length);
      await under.blobs.put(key, bytes);
      expect(sha256(await under.blobs.get(key))).toBe(sha256(bytes));
      expect(await under.keys()).toEqual([key]);
      await under.blobs.delete(key);
    });

    test("many at once, and a reader sees one of the versions, never a mixture", async () => {
      const versions = Array.from({ length: 12 }, (_, index) => Buffer.alloc(300_000, index));
      await under.blobs.put(key, versions[0]!);
      const known = new Set(versions.map(sha256));
      const writes = Promise.all(versions.map((bytes) => under.blobs.put(key, bytes)));
      for (let reads = 0; reads < 20; reads++) expect(known).toContain(sha256(await under.blobs.get(key)));
      await writes;
      await under.blobs.delete(key);
      expect(await under.keys()).toEqual([]);
    });

    test.each([
      "../escape",
      "segments/../../escape",
      "segments/%2e%2e/escape",
      "/etc/passwd",
      "segments//double",
      ".hidden",
      "segments/nul\0",
      "Segments/upper",
      "a\\b",
      "",
      "a/b/c/d/e/f/g/h/i",
    ])("refuses the key %j by its form", async (bad) => {
      await expect(under.blobs.get(bad)).rejects.toMatchObject({ code: "invalid_request" });
      await expect(under.blobs.put(bad, Buffer.from("x"))).rejects.toMatchObject({ code: "invalid_request" });
      await expect(under.blobs.delete(bad)).rejects.toMatchObject({ code: "invalid_request" });
    });
  });
}
