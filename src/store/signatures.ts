import type { SignatureGroup } from "../compare/group.js";
import type { Sighting, SignatureMark } from "../compare/signature-state.js";
import type { DifferenceKind } from "../compare/types.js";
import { type ComparisonId, minuteOf } from "../ids.js";
import type { PrismaClient } from "./client.js";
import { type Appearance, readSightings } from "./signature-sightings.js";
import { cleanText, time } from "./sql.js";

/** A group of divergences, what a person said of it, and where it was seen. */
export interface SignatureRow {
  group: SignatureGroup;
  mark: SignatureMark & { note: string | null; by: string | null };
  /** In the runs that were asked for, in their order. */
  sightings: Sighting[];
  /** A comparison of the last run in which it was seen; null: none is kept. */
  representative: ComparisonId | null;
}

export interface Signatures {
  /**
   * The groups that were seen in a run, and those of which a person has said something.
   *
   * @param runId of this candidate; a live run comes with those before it, since they tell what is fixed
   * @param also a group that is wanted in any case
   */
  list(candidateId: number, runId: number, also?: string): Promise<SignatureRow[]>;
  /** Keeps what a person says of a group, from now on. False: there is no such group. */
  mark(
    candidateId: number,
    signature: string,
    mark: Pick<SignatureRow["mark"], "state" | "acceptedUntilMs" | "note" | "by">,
  ): Promise<boolean>;
}

export function createSignatures(prisma: PrismaClient): Signatures {
  return {
    async list(candidateId, runId, also) {
      const groups = await prisma.$queryRaw<GroupColumns[]>`
        SELECT hash AS signature, kind, output, magnitude, flip, shape::text AS shape, state,
               accepted_until AS "acceptedUntil", note, by, updated_at AS "updatedAt"
        FROM signatures WHERE candidate_id = ${candidateId}`;
      const marked = groups
        .filter(({ state, signature }) => state !== "new" || signature === also)
        .map(({ signature }) => signature);
      const runIds = marked.length === 0 ? [runId] : await liveRunsUpTo(prisma, candidateId, runId);
      const { samples, appearances } = await readSightings(prisma, runIds, runId, marked);
      const isMarked = new Set(marked);
      return groups.flatMap((columns) => {
        const seen = appearances.get(columns.signature) ?? new Map<number, Appearance>();
        if (!seen.has(runId) && !isMarked.has(columns.signature)) return [];
        const last = [...runIds].reverse().find((id) => seen.has(id));
        return {
          ...groupAndMark(columns),
          sightings: runIds.map((id) => sightingOf(samples.get(id) ?? 0, seen.get(id))),
          representative: last === undefined ? null : representativeOf(last, seen.get(last)!),
        };
      });
    },

    async mark(candidateId, signature, { state, acceptedUntilMs, note, by }) {
      const marked = await prisma.$executeRaw`
        UPDATE signatures
        SET state = ${state}, accepted_until = ${acceptedUntilMs === null ? null : time(acceptedUntilMs)}::timestamptz,
            note = ${note === null ? null : cleanText(note)}, by = ${by === null ? null : cleanText(by)},
            updated_at = now()
        WHERE candidate_id = ${candidateId} AND hash = ${signature}`;
      return marked === 1;
    },
  };
}

/** The run itself if it is no live run. */
async function liveRunsUpTo(prisma: PrismaClient, candidateId: number, runId: number): Promise<number[]> {
  const rows = await prisma.$queryRaw<{ id: number }[]>`
    SELECT id FROM runs
    WHERE id = ${runId} OR (candidate_id = ${candidateId} AND kind = 'live' AND id < ${runId}
      AND EXISTS (SELECT FROM runs asked WHERE asked.id = ${runId} AND asked.kind = 'live'))
    ORDER BY id`;
  return rows.map(({ id }) => id);
}

interface GroupColumns {
  signature: string;
  kind: DifferenceKind;
  output: string | null;
  magnitude: number | null;
  flip: boolean | null;
  /** As Postgres writes an array. */
  shape: string | null;
  state: SignatureMark["state"];
  acceptedUntil: Date | null;
  note: string | null;
  by: string | null;
  updatedAt: Date | null;
}

function groupAndMark(columns: GroupColumns): Pick<SignatureRow, "group" | "mark"> {
  const { shape, state, acceptedUntil, note, by, updatedAt, ...group } = columns;
  return {
    group: { ...group, shape: shape && (shape.match(/\d+/g) ?? []).map(Number) } as SignatureGroup,
    mark: {
      state,
      acceptedUntilMs: acceptedUntil?.getTime() ?? null,
      updatedAtMs: updatedAt?.getTime() ?? null,
      note,
      by,
    },
  };
}

/** To the minute where the comparison itself is no longer kept. */
function sightingOf(samples: number, seen: Appearance | undefined): Sighting {
  if (seen === undefined) return { samples, count: 0, firstSeenMs: null, lastSeenMs: null };
  const exact = (minuteMs: number, at: Appearance["first"]) =>
    at !== null && minuteOf(at.capturedAtMs) === minuteMs ? at.capturedAtMs : minuteMs;
  return {
    samples,
    count: seen.count,
    firstSeenMs: exact(seen.firstMinuteMs, seen.first),
    lastSeenMs: exact(seen.lastMinuteMs, seen.last),
  };
}

function representativeOf(runId: number, { first, last }: Appearance): ComparisonId | null {
  const kept = first ?? last;
  return kept && { captureId: kept.captureId, runId };
}
