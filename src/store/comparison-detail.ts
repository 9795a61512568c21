import type { Policy } from "../compare/policy.js";
import { type ComparisonId, dayOf, timeOfId } from "../ids.js";
import type { PrismaClient } from "./client.js";
import { type ComparisonColumns, comparisonColumns, comparisonRowOf } from "./comparison-columns.js";
import type { ComparisonFull, OutputRow } from "./comparisons.js";
import type { OutputDiffModel } from "./generated/models/OutputDiff.js";

type DetailRow = ComparisonColumns & {
  deployment: string;
  candidate: string;
  policyVersion: number;
  policyBody: unknown;
  details: unknown;
  transport: string | null;
  status: number;
  rule: string;
  requestBytes: number;
  responseBytes: number;
  tags: Record<string, string>;
  redacted: string[];
  row: number;
  blobKey: string | null;
  sha256: string;
  answersKey: string | null;
  answersSha256: string | null;
};

/** One comparison with all that is kept of it, found by its key in one day's partition; null when there is none. */
export async function readComparison(prisma: PrismaClient, id: ComparisonId): Promise<ComparisonFull | null> {
  const day = dayOf(timeOfId(id.captureId));
  // An id that nobody made can carry a year beyond 9999, which no partition has and no date literal can say.
  if (day.startsWith("+")) return null;
  const [found] = await prisma.$queryRaw<DetailRow[]>`
    SELECT ${comparisonColumns}, o.details, d.name AS deployment, c.name AS candidate,
      p.version AS "policyVersion", p.body AS "policyBody",
      k.transport, k.status, k.rule, k.request_bytes AS "requestBytes", k.response_bytes AS "responseBytes", k.tags, k.redacted, k.row,
      s.blob_key AS "blobKey", s.sha256,
      answered.answers_key AS "answersKey", answered.answers_sha256 AS "answersSha256"
    FROM outcomes o
    JOIN runs r ON r.id = o.run_id
    JOIN candidates c ON c.id = r.candidate_id
    JOIN policies p ON p.id = r.policy_id
    JOIN deployments d ON d.id = r.deployment_id
    LEFT JOIN captures k ON k.day = o.day AND k.id = o.capture_id AND k.erasure_id IS NULL
    LEFT JOIN segments s ON s.id = k.segment_id
    LEFT JOIN LATERAL (
      SELECT answers_key, answers_sha256 FROM work w
      WHERE w.segment_id = k.segment_id AND w.run_id = coalesce(r.source_run_id, r.id)
        AND k.row >= w.first_row AND k.row < w.first_row + w.rows
    ) answered ON true
    WHERE o.day = ${day}::date AND o.run_id = ${id.runId} AND o.capture_id = ${id.captureId}::uuid`;
  if (!found) return null;
  const outputs = await prisma.outputDiff.findMany({
    where: { day: new Date(day), runId: id.runId, captureId: id.captureId },
    orderBy: { output: "asc" },
  });
  const { transport, status, rule, requestBytes, responseBytes, tags, redacted, row, blobKey, ...others } =
    found;
  const { sha256, answersKey, answersSha256, policyVersion, policyBody, ...rest } = others;
  return {
    ...comparisonRowOf(rest),
    policy: { version: policyVersion, body: policyBody as Policy },
    capture:
      transport === null || blobKey === null
        ? null
        : {
            transport,
            status,
            rule,
            requestBytes,
            responseBytes,
            tags,
            redacted,
            location: { blobKey, sha256, row },
          },
    answers: answersKey && answersSha256 ? { key: answersKey, sha256: answersSha256 } : null,
    outputs: outputs.map(outputRowOf),
  };
}

function outputRowOf(row: OutputDiffModel): OutputRow {
  return {
    output: row.output,
    result: row.result as OutputRow["result"],
    kind: row.kind as OutputRow["kind"],
    datatype: row.datatype as OutputRow["datatype"],
    shape: row.shape.map(Number),
    elements: Number(row.elements),
    mismatches: Number(row.mismatches),
    maxAbs: row.maxAbs,
    maxRel: row.maxRel,
    meanAbs: row.meanAbs,
    rmse: row.rmse,
    cosine: row.cosine,
    nonFinitePrimary: Number(row.nonFinitePrimary),
    nonFiniteCandidate: Number(row.nonFiniteCandidate),
    flip: row.flip,
    decisionFrom: row.decisionFrom,
    decisionTo: row.decisionTo,
    details: row.details,
  };
}
