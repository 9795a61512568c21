import type { Deployment } from "../../../src/control/api.js";
import { Name } from "./words";

/** What is taken out of a deployment's captures; nothing is shown where that is nothing. */
export function DeploymentRedaction({
  redaction,
  open = false,
}: {
  redaction: Deployment["redaction"];
  /** Whether each rule is shown at once. */
  open?: boolean;
}) {
  const { rules, subject, replayRedacted } = redaction;
  if (rules.length === 0 && subject === null) return null;
  return (
    <details className="quiet" open={open}>
      <summary>
        {rules.length === 0 ? "Nothing is redacted" : `${rules.length} redacted before anything is written`}
        {subject !== null && ", subjects kept as keyed hashes"}
      </summary>
      <ul>
        {rules.map(({ target, action }) => (
          <li key={JSON.stringify({ target, action })}>
            {wordsOf(target)}: {actionText(action)}
          </li>
        ))}
        {subject !== null && <li>whose request it is: {wordsOf(subject)}</li>}
        {replayRedacted && <li>requests whose input was redacted are replayed all the same</li>}
      </ul>
    </details>
  );
}

type Rule = Deployment["redaction"]["rules"][number];

function wordsOf(target: object) {
  const [[kind, name] = ["", ""]] = Object.entries(target) as [string, string][];
  return (
    <>
      {kind} <Name>{name}</Name>
    </>
  );
}

function actionText(action: Rule["action"]): string {
  return typeof action === "string" ? action : `the first ${action.truncate} stay`;
}
