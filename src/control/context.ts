import type { Webhooks } from "../alerts/webhook.js";
import type { BlobStore } from "../blobs/blobs.js";
import type { Config } from "../config.js";
import type { Logger } from "../log.js";
import type { Store } from "../store/store.js";
import type { Upstream } from "../upstream/client.js";

/** What the control plane works with. */
export interface ControlContext {
  config: Config;
  log: Logger;
  store: Store;
  blobs: BlobStore;
  upstream: Upstream;
  webhooks: Webhooks;
}
