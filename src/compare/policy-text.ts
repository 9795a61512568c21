import { UnderstudyError } from "../errors.js";
import { type LocatedJson, parseLocatedJson } from "./located-json.js";
import { type Policy, policySchema } from "./policy.js";

const charactersMax = 1024 ** 2;

/** One fault of a policy file. Lines and columns count from 1; columns in UTF-16 units. */
export interface PolicyFault {
  line: number;
  column: number;
  /** As `outputs.scores.atol`; empty for the document as a whole. */
  path: string;
  message: string;
}

/**
 * Reads the text of a policy file: JSON, strictly. Defaults are filled in.
 * @throws UnderstudyError `invalid_request` that names every fault by its place, as
 *   `line 4, column 15: outputs.scores.atol: must be 0 or more`; `details.issues` are {@link PolicyFault}s
 */
export function parsePolicyText(text: string): Policy {
  if (text.length > charactersMax) {
    throw invalid(text, [{ offset: 0, path: "", message: `is longer than ${charactersMax} characters` }]);
  }
  const document = parseLocatedJson(text, (offset, message) => {
    throw invalid(text, [{ offset, path: "", message }]);
  });
  const parsed = policySchema.safeParse(document.value);
  if (parsed.success) return parsed.data;
  throw invalid(
    text,
    parsed.error.issues.flatMap((issue) => faultsOf(issue, document)),
  );
}

interface Fault {
  offset: number;
  path: string;
  message: string;
}

type Issue = NonNullable<ReturnType<typeof policySchema.safeParse>["error"]>["issues"][number];

function faultsOf(issue: Issue, document: LocatedJson): Fault[] {
  const { path, message } = issue;
  if (issue.code !== "unrecognized_keys") {
    return [{ offset: document.offsetOf(path), path: path.join("."), message }];
  }
  return issue.keys.map((key) => ({
    offset: document.keyOffsetOf([...path, key]),
    path: [...path, key].join("."),
    message: "is not known here",
  }));
}

function invalid(text: string, faults: readonly Fault[]): UnderstudyError {
  const issues: PolicyFault[] = [...faults]
    .sort((a, b) => a.offset - b.offset)
    .map(({ offset, path, message }) => ({ ...placeOf(text, offset), path, message }));
  const told = issues.map(
    ({ line, column, path, message }) =>
      `line ${line}, column ${column}: ${path === "" ? "" : `${path}: `}${message}`,
  );
  return new UnderstudyError("invalid_request", `The policy is not valid: ${told.join("; ")}`, {
    hint: "Correct the places that are named and try again.",
    details: { issues },
  });
}

function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split(/\r\n|\r|\n/);
  return { line: before.length, column: before.at(-1)!.length + 1 };
}
