import { dayOf } from "../../src/ids.js";
import { Prisma } from "../../src/store/generated/client.js";
import { jsonInput } from "../../src/store/sql.js";
import type { OutcomeRow } from "../../src/store/types.js";

/** Outcomes in the form that Prisma's createMany takes. */
export function outcomesOf(runId: number, rows: readonly OutcomeRow[]): Prisma.OutcomeCreateManyInput[] {
  return rows.map(({ outputs: _, facts: __, capturedAtMs, details, ...row }) => ({
    ...row,
    day: new Date(dayOf(capturedAtMs)),
    runId,
    workId: 0n,
    capturedAt: new Date(capturedAtMs),
    judgedAt: new Date(capturedAtMs),
    details: details == null ? Prisma.DbNull : jsonInput(details),
  }));
}

export function diffsOf(runId: number, rows: readonly OutcomeRow[]): Prisma.OutputDiffCreateManyInput[] {
  return rows.flatMap(({ capturedAtMs, captureId, outputs }) =>
    outputs.map(({ worst, decision, candidateDatatype, candidateShape, shape, ...output }) => ({
      day: new Date(dayOf(capturedAtMs)),
      runId,
      captureId,
      output: output.output,
      result: output.result,
      kind: output.kind,
      datatype: output.datatype,
      shape: shape.map(BigInt),
      elements: BigInt(output.elements),
      mismatches: BigInt(output.mismatches),
      maxAbs: output.maxAbs,
      maxRel: output.maxRel,
      meanAbs: output.meanAbs,
      rmse: output.rmse,
      cosine: output.cosine,
      nonFinitePrimary: BigInt(output.nonFinitePrimary),
      nonFiniteCandidate: BigInt(output.nonFiniteCandidate),
      flip: decision?.flip ?? null,
      decisionFrom: decision?.from ?? null,
      decisionTo: decision?.to ?? null,
      details: jsonInput({ worst, candidateDatatype, candidateShape }),
    })),
  );
}
