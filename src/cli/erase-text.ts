import type { Erasure } from "../control/api.js";

/** How far an erasure is, in one line. */
export function eraseProgress({ state, found, erased, waitingFor, error }: Erasure): string {
  const said = error ?? (state === "waiting" ? `waits for ${waitingFor.join("; ")}` : state);
  return `${erased} of ${found} captures erased · ${said}`;
}

/** An erasure for people; with its proof once there is one. */
export function eraseReport(erasure: Erasure): string {
  const { id, kind, deployment, proof } = erasure;
  const about = `erasure ${id} (${kind}, ${deployment ?? "all deployments"}): ${eraseProgress(erasure)}\n`;
  if (proof === null) return about;
  const { captures, left, outcomes, outcomesWithContents, outputRows } = proof;
  const { segments, answerFiles, foundInBlobs, gateways } = proof;
  return `${about}proof, of ${new Date(proof.at).toISOString()}:
  database  ${captures} captures erased, ${left} left; ${outcomes} outcomes, ${outcomesWithContents} with contents; ${outputRows} rows of outputs
  blobs     ${segments} segments and ${answerFiles} files of answers read back, ${foundInBlobs} found
  spools    ${gateways} gateways hold nothing that was received before
`;
}
