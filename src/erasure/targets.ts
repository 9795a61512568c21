import { tagCharactersMax } from "../capture/settings.js";
import { UnderstudyError } from "../errors.js";
import { parseComparisonId } from "../ids.js";
import { keyedHash } from "../redaction/keyed-hash.js";
import type { ErasureTarget } from "../store/erasures.js";

/** What is to be erased, as a person names it: one of both. */
export type ErasureSubject = { request: string } | { subject: string };

const captureForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * What an erasure means in each deployment. A request is named by its capture's id, by the id of one of its comparisons,
 * or by the `x-request-id` that its client sent; a subject as requests name it, known by its keyed hash alone.
 *
 * @param key `UNDERSTUDY_REDACTION_KEY`
 * @throws UnderstudyError `invalid_request` for a subject without a key
 */
export function erasureTargets(
  what: ErasureSubject,
  deploymentIds: readonly number[],
  key: string | undefined,
): ErasureTarget[] {
  if ("subject" in what) return deploymentIds.map((id) => subjectTarget(what.subject, id, key));
  const { request } = what;
  const capture = parseComparisonId(request)?.captureId ?? captureForm.exec(request)?.[0].toLowerCase();
  const captures = capture === undefined ? [] : [capture];
  // Headers come as latin1, one character for each byte.
  const tag = Buffer.from(request).toString("latin1").slice(0, tagCharactersMax);
  return deploymentIds.map((deploymentId) => {
    const hashed = key === undefined ? [] : [keyedHash(key, deploymentId).value(request)];
    return { deploymentId, captures, requests: [tag, ...hashed], subjects: [] };
  });
}

function subjectTarget(subject: string, deploymentId: number, key: string | undefined): ErasureTarget {
  if (key !== undefined) {
    const subjects = [keyedHash(key, deploymentId).subject(subject)];
    return { deploymentId, captures: [], requests: [], subjects };
  }
  throw new UnderstudyError("invalid_request", "Subjects are kept as keyed hashes, and this has no key.", {
    hint: "Give the control plane the gateways' UNDERSTUDY_REDACTION_KEY.",
  });
}
