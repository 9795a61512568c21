import type { Config } from "../config.js";
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
 * Opens the blob store that `UNDERSTUDY_BLOBS` names, `file:/absolute/path` or `s3://bucket/prefix`.
 */
export async function createBlobStore(config: Pick<Config, "blobs" | "s3Endpoint">): Promise<BlobStore> {
  const { blobs, s3Endpoint } = config;
  if (!blobs.startsWith("s3:")) return createFileStore(blobs.slice("file:".length));
  // The AWS SDK is large: only those who use it load it.
  const { createS3Store } = await import("./s3-store.js");
  return createS3Store(blobs, s3Endpoint);
}
