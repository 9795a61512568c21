import type { StructuralDifference, WorstElement } from "../compare/types.js";
import { printable } from "./printable.js";
import type { Report, ReportedOutput } from "./report.js";

/** The words of a report, for whatever lays them out: terminal or page. All of them are printable. */

export const outputHeadings = [
  "output",
  "result",
  "datatype",
  "shape",
  "elements",
  "mismatches",
  "max abs",
  "max rel",
  "mean abs",
  "RMSE",
  "cosine",
];

export function outputCells(output: ReportedOutput): string[] {
  const { result, kind, elements, mismatches } = output;
  return [
    printable(output.name),
    kind === null ? result : `${result} (${kind})`,
    both(output.datatype, output.candidateDatatype),
    both(shapeText(output.shape), output.candidateShape && shapeText(output.candidateShape)),
    count(elements),
    mismatches === 0 ? "0" : `${count(mismatches)} (${percent(mismatches / elements)})`,
    rounded(output.maxAbs),
    rounded(output.maxRel),
    rounded(output.meanAbs),
    rounded(output.rmse),
    output.cosine === null ? absent : String(Number(output.cosine.toPrecision(9))),
  ];
}

export const worstHeadings = ["index", "primary", "candidate", "abs error"];

export function worstCells({ datatype }: ReportedOutput, worst: WorstElement): string[] {
  return [
    `[${worst.index.join(", ")}]`,
    element(worst.primary, datatype),
    element(worst.candidate, datatype),
    rounded(worst.absError),
  ];
}

/** What else is to be said of an output judged by `rule`, in sentences. */
export function outputNotes(output: ReportedOutput, rule: Report["rule"]): string[] {
  const { decision, ignored, nonFinitePrimary, nonFiniteCandidate, differences = [] } = output;
  const name = printable(output.name);
  const notes: string[] = [];
  if (ignored !== undefined) notes.push(`${name} is ignored: ${printable(ignored)}`);
  if (decision) {
    const [from, to] = [printable(decision.from), printable(decision.to)];
    notes.push(
      decision.flip ? `${name} decides otherwise: ${from} → ${to}` : `${name} decides the same: ${from}`,
    );
  }
  if (nonFinitePrimary + nonFiniteCandidate > 0) {
    notes.push(
      `${name} has NaN or Infinity in ${count(nonFinitePrimary)} elements of the primary and ` +
        `${count(nonFiniteCandidate)} of the candidate; the metrics are over the finite pairs`,
    );
  }
  if (
    output.kind === "value" &&
    typeof output.atolToPass === "number" &&
    (rule === "numpy" || rule === "polygraphy")
  ) {
    notes.push(`${name} would match with an atol of ${output.atolToPass}, the rtol being as it is`);
  }
  return [...notes, ...differences.map((difference) => `${name}: ${differenceText(difference)}`)];
}

/** Differences of the response's parameters, in sentences. */
export function parameterNotes({ parameters }: Report): string[] {
  return parameters.map(differenceText);
}

/** How the outputs were judged, in one line. */
export function ruleText({ rule, rtol, atol }: Report): string {
  switch (rule) {
    case null:
      return "judged by the policy";
    case "numpy":
      return `rule numpy: an element matches when |candidate − primary| ≤ ${short(atol)} + ${short(rtol)}·|primary|`;
    case "polygraphy":
      return `rule polygraphy: an element mismatches when its abs error > ${short(atol)} and its rel error > ${short(rtol)}`;
    default:
      return `rule ${rule}`;
  }
}

/** The verdict in one line. */
export function headline({ result, left, right, outputs }: Report): string {
  const alike = outputs.filter((output) => output.result === result).length;
  return (
    `${result} in ${count(alike)} of ${count(outputs.length)} outputs: ` +
    `${printable(right)} against the primary's ${printable(left)}`
  );
}

/** At most so many outputs, those that mismatch first. */
export function firstOutputs(outputs: readonly ReportedOutput[], max: number): ReportedOutput[] {
  const mismatching = outputs.filter(({ result }) => result === "mismatch");
  const others = outputs.filter(({ result }) => result !== "mismatch");
  return [...mismatching, ...others].slice(0, max);
}

const absent = "–";

function both(primary: string | null, candidate: string | null): string {
  if (candidate === null || candidate === primary) return primary ?? absent;
  return `${primary} → ${candidate}`;
}

function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

function differenceText({ path, change, primary, candidate }: StructuralDifference): string {
  const values = [primary, candidate].filter((value) => value !== undefined);
  return printable(
    `${path || "the whole"} ${change}: ${values.map((value) => JSON.stringify(value)).join(" → ")}`,
  );
}

/** Floats narrower than FP64 are told apart by nine digits; the rest of their float64 is noise to the reader. */
function element(value: WorstElement["primary"], datatype: ReportedOutput["datatype"]): string {
  if (datatype === "BYTES") return printable(JSON.stringify(value));
  if (typeof value !== "number") return String(value);
  const isNarrow = datatype === "FP32" || datatype === "FP16" || datatype === "BF16";
  return String(isNarrow ? Number(value.toPrecision(9)) : value);
}

function rounded(value: number | null): string {
  if (value === null) return absent;
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(3);
}

/** A tolerance as people write it: 1e-5, 0.05. */
function short(value: number | null): string {
  if (value === null) return absent;
  const [plain, exponential] = [String(value), value.toExponential()];
  return exponential.length < plain.length ? exponential : plain;
}

function percent(fraction: number): string {
  return `${Number((fraction * 100).toPrecision(2))} %`;
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
