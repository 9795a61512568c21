import type { Replay } from "../control/api.js";
import { progressBar } from "./progress-bar.js";

/** One line: how far it is. @param columns of the terminal */
export function progressLine(replay: Replay, columns: number): string {
  const { id, state, ended, captures } = replay;
  const share = captures === 0 ? 1 : ended / captures;
  const words = `replay ${id} ${state}  ${ended} of ${captures}  ${Math.floor(share * 100)} %`;
  return progressBar(words, share, columns);
}

/** What came of it, for people. */
export function replayReport(replay: Replay): string {
  const { id, deployment, candidate, ledger, lag, line } = replay;
  const reasons = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([reason, n]) => `${reason} ${n}`)
      .join(", ");
  const lines = [
    `replay ${id} of ${deployment} to ${candidate} (${replay.target.url}): ${replay.state}`,
    ...(replay.error === null ? [] : [`  ${replay.error}`]),
    `  captures       ${replay.captures}`,
    `  compared       ${ledger.compared}`,
    ...(Object.keys(ledger.candidateError).length === 0
      ? []
      : [`  failures       ${reasons(ledger.candidateError)}`]),
    ...(Object.keys(ledger.notReplayed).length === 0
      ? []
      : [`  not replayed   ${reasons(ledger.notReplayed)}`]),
    ...(ledger.dead > 0 ? [`  dead           ${ledger.dead}`] : []),
    ...(ledger.pending > 0 ? [`  pending        ${ledger.pending}`] : []),
    ...(lag === null || lag.p50 === null
      ? []
      : [
          `  sent late by   p50 ${shown(lag.p50)}, p99 ${shown(lag.p99)}, at most ${shown(lag.max)}; never sent ${lag.neverSent}`,
          ...(lag.driftMs === null ? [] : [`  drift          ${shown(lag.driftMs)}`]),
          ...(lag.latencyCounts
            ? []
            : ["  its latencies say nothing: the load was another than the recorded one"]),
        ]),
    ...(line !== null && line.skewMs >= 1 ? [`  clock skew     ${shown(line.skewMs)} between gateways`] : []),
    ...(line !== null && line.interruptions > 0 ? [`  interrupted    ${line.interruptions} times`] : []),
    `next: understudy status, or GET /api/v1/deployments/${deployment}/candidates/${candidate}/summary?run=${id}`,
  ];
  return `${lines.join("\n")}\n`;
}

const shown = (ms: number | null) => (ms === null ? "–" : `${ms.toFixed(2)} ms`);
