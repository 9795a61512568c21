import type { BlobStore } from "../blobs/blobs.js";
import type { Logger } from "../log.js";
import type { Erasing } from "../store/erasing.js";

export interface EraseDeps {
  erasing: Erasing;
  blobs: BlobStore;
  log: Logger;
}
