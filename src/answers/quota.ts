import type { AnswerStore } from "../store/answers.js";

/** How long a sum is good for: what other workers keep meanwhile is not seen. */
const freshMs = 30_000;
/** Deployments and days remembered at most. */
const daysMax = 1_000;

/** Bytes of answers that a deployment may keep of one day's captures. */
export interface AnswerQuota {
  /** Whether there is room for that many more; then they count as taken. */
  take(request: { deploymentId: number; day: string; bytes: number; bytesMax: number }): Promise<boolean>;
}

/**
 * Reads the sum from the works, and counts on from there. Several workers can together pass the quota by what they
 * keep within {@link freshMs}: a row that all of them count in would make every commit of a deployment wait.
 */
export function createAnswerQuota(
  store: Pick<AnswerStore, "keptBytes">,
  now: () => number = () => performance.now(),
): AnswerQuota {
  const days = new Map<string, { readMs: number; bytes: number }>();

  async function sumOf(deploymentId: number, day: string): Promise<{ readMs: number; bytes: number }> {
    const key = `${deploymentId}/${day}`;
    const known = days.get(key);
    if (known !== undefined && now() - known.readMs < freshMs) return known;
    const sum = { readMs: now(), bytes: await store.keptBytes(deploymentId, day) };
    days.delete(key);
    if (days.size >= daysMax) days.clear();
    days.set(key, sum);
    return sum;
  }

  return {
    async take({ deploymentId, day, bytes, bytesMax }) {
      const sum = await sumOf(deploymentId, day);
      if (sum.bytes + bytes > bytesMax) return false;
      sum.bytes += bytes;
      return true;
    },
  };
}
