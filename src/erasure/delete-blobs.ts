import { answersKey } from "../answers/keeper.js";
import { bodyKeyOf } from "../capture/bodies.js";
import type { EraseDeps } from "./deps.js";

const batchMax = 200;

/** Deletes the blobs that are doomed. */
export async function deleteDoomed({ erasing: { doomed }, blobs }: EraseDeps): Promise<void> {
  for (;;) {
    const batch = await doomed.list(batchMax);
    for (const blob of batch) {
      const { key, body } = blob;
      const path = body === null ? key : bodyKeyOf(body.deploymentId, body.day, body.sha256);
      await doomed.remove(blob, () => blobs.delete(path));
    }
    if (batch.length < batchMax) return;
  }
}

/** Deletes the answers that leases of the works in question may have left without ending the work. */
export async function deleteLeftAnswers({ erasing, blobs }: EraseDeps, erasureId: string): Promise<void> {
  for (const { answersKey: counts, lease: newest, ...work } of await erasing.leftLeases(erasureId)) {
    for (let lease = 1; lease <= newest; lease += 1) {
      const key = answersKey({ ...work, lease });
      if (key !== counts) await blobs.delete(key);
    }
  }
}
