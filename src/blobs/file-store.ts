import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UnderstudyError } from "../errors.js";
import type { BlobStore } from "./blobs.js";
import { checkKey } from "./key.js";

/** Blobs as files under a folder, which is made when it is first needed. */
export function createFileStore(folder: string): BlobStore {
  return {
    async put(key, bytes) {
      checkKey(key);
      const path = join(folder, key);
      await mkdir(dirname(path), { recursive: true });
      // Written aside and renamed: a reader, or a start after a crash, never sees half a blob.
      const aside = `${path}.${randomUUID()}.tmp`;
      try {
        const file = await open(aside, "wx");
        try {
          await file.writeFile(bytes);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(aside, path);
        await syncFolder(dirname(path));
      } catch (error) {
        await rm(aside, { force: true });
        throw error;
      }
    },

    async get(key) {
      checkKey(key);
      try {
        return await readFile(join(folder, key));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
        throw new UnderstudyError("blob_missing", `No blob ${key}`, { cause: error });
      }
    },

    async delete(key) {
      checkKey(key);
      await rm(join(folder, key), { force: true });
    },
  };
}

/** A rename survives a power cut only once its folder is on disk too. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
