import { answersKey } from "../answers/keeper.js";
import type { BlobStore } from "../blobs/blobs.js";
import { bodyKeyOf } from "../capture/bodies.js";
import type { Logger } from "../log.js";
import type { RetentionStore } from "../store/retention.js";

/** Segments, or bodies, that are taken out at a time. */
const batchMax = 200;

/**
 * Drops the days that are older than retention: blobs first, then what names them, so that what a crash leaves behind
 * is still named and goes the next time. Two at a time do no harm.
 *
 * @returns the days that were dropped
 */
export async function dropOldDays(
  deps: { store: { retention: RetentionStore }; blobs: Pick<BlobStore, "delete">; log: Logger },
  days: number,
): Promise<string[]> {
  const { log } = deps;
  const { retention } = deps.store;
  const dropped: string[] = [];
  for (const day of await retention.due(days)) {
    const isGone = await retention.whileUnpinned(day, async () => {
      const segments = await dropSegments(deps, day);
      const bodies = await dropBodies(deps, day);
      await retention.dropDay(day);
      log.info({ day, segments, bodies }, "day dropped: it is older than retention");
    });
    if (isGone) dropped.push(day);
  }
  return dropped;
}

type Deps = Parameters<typeof dropOldDays>[0];

async function dropSegments({ store: { retention }, blobs }: Deps, day: string): Promise<number> {
  for (let dropped = 0; ; ) {
    const segments = await retention.segments(day, batchMax);
    for (const { blobKey, works } of segments) {
      for (const work of works) {
        for (let lease = 1; lease <= work.lease; lease += 1)
          await blobs.delete(answersKey({ ...work, lease }));
      }
      await blobs.delete(blobKey);
    }
    if (segments.length > 0)
      await retention.dropSegments(
        day,
        segments.map(({ id }) => id),
      );
    dropped += segments.length;
    if (segments.length < batchMax) return dropped;
  }
}

async function dropBodies({ store: { retention }, blobs }: Deps, day: string): Promise<number> {
  for (let dropped = 0; ; ) {
    const bodies = await retention.bodies(day, batchMax);
    for (const { deploymentId, sha256 } of bodies) await blobs.delete(bodyKeyOf(deploymentId, day, sha256));
    if (bodies.length > 0) await retention.dropBodies(day, bodies);
    dropped += bodies.length;
    if (bodies.length < batchMax) return dropped;
  }
}
