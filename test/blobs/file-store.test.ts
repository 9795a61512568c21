import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type BlobStore, createBlobStore } from "../../src/blobs/blobs.js";

let folder: string;
let blobs: BlobStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "understudy-blobs-"));
  blobs = createBlobStore(`file:${folder}/blobs`);
});
afterEach(() => rm(folder, { recursive: true }));

const key = "segments/1/2026-11-22/0193.parquet";

test("keeps bytes, replaces them, deletes them twice without complaint", async () => {
  await blobs.put(key, Buffer.from("one"));
  await blobs.put(key, Buffer.from("two"));
  expect((await blobs.get(key)).toString()).toBe("two");
  await blobs.delete(key);
  await blobs.delete(key);
  await expect(blobs.get(key)).rejects.toMatchObject({ code: "blob_missing" });
});

test("a put that fails leaves nothing behind", async () => {
  await writeFile(join(folder, "blobs"), "a file where the folder should be");
  await expect(blobs.put(key, Buffer.from("x"))).rejects.toThrow();
  expect(await readdir(folder)).toEqual(["blobs"]);
});

test("no half-written file stays visible after a put", async () => {
  await blobs.put(key, Buffer.alloc(1_000_000, 1));
  expect(await readdir(join(folder, "blobs/segments/1/2026-11-22"))).toEqual(["0193.parquet"]);
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
  await expect(blobs.get(bad)).rejects.toMatchObject({ code: "invalid_request" });
  await expect(blobs.put(bad, Buffer.from("x"))).rejects.toMatchObject({ code: "invalid_request" });
  await expect(blobs.delete(bad)).rejects.toMatchObject({ code: "invalid_request" });
});

test("a store of an unknown kind is refused with what to do", () => {
  expect(() => createBlobStore("s3://bucket/prefix")).toThrowError(
    expect.objectContaining({ code: "config_invalid", hint: expect.stringContaining("file:") }),
  );
});
