import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { createFileStore } from "../../src/blobs/file-store.js";
import { conformance } from "./conformance.js";

const newFolder = () => mkdtemp(join(tmpdir(), "understudy-blobs-"));

conformance("files", async () => {
  const folder = await newFolder();
  return {
    blobs: createFileStore(folder),
    async keys() {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
    },
    stop: () => rm(folder, { recursive: true }),
  };
});

test("a put that fails leaves nothing behind", async () => {
  const folder = await newFolder();
  await writeFile(join(folder, "blobs"), "a file where the folder should be");
  const blobs = createFileStore(join(folder, "blobs"));
  await expect(blobs.put("segments/1", Buffer.from("x"))).rejects.toThrow();
  expect(await readdir(folder)).toEqual(["blobs"]);
  await rm(folder, { recursive: true });
});
