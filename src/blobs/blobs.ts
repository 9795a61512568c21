import { UnderstudyError } from "../errors.js";
import { createFileStore } from "./file-store.js";

/** Where segments and other large immutable things are kept. Keys are relative paths; see {@link checkKey}. */
export interface BlobStore {
  /** Stores the bytes under the key, at once or not at all; putting the same key again replaces it. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** @throws UnderstudyError `blob_missing` */
  get(key: string): Promise<Buffer>;
  /** Deleting what is not there is not an error. */
  delete(key: string): Promise<void>;
}

/**
 * Opens the blob store that `UNDERSTUDY_BLOBS` names, `file:/absolute/path`.
 * @throws UnderstudyError `config_invalid` for a kind of store that there is none of.
 */
export function createBlobStore(url: string): BlobStore {
  if (url.startsWith("file:")) return createFileStore(url.slice("file:".length));
  throw new UnderstudyError("config_invalid", `No blob store for ${url}`, {
    hint: "Set UNDERSTUDY_BLOBS to file:PATH.",
  });
}
