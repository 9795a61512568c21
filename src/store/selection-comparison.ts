import type { PrismaClient } from "./client.js";
import { isCurrent } from "./current-run.js";

/** Candidates in one comparison at most. */
const candidatesMax = 20;

/** What came of one candidate's replay of a selection. */
export interface SelectionResult {
  candidate: string;
  runId: number;
  /** Members that came to an outcome, those of them that the candidate answered, and those that it failed. */
  finished: number;
  answered: number;
  failed: number;
  /** Of the members that every candidate answered. */
  common: {
    requests: number;
    matches: number;
    mismatches: number;
    decided: number;
    flips: number;
    p50Ms: number | null;
    p99Ms: number | null;
  };
}

export interface SelectionComparisons {
  /**
   * The newest replay of each candidate over a sealed selection, one that is done rather than one that goes on or was
   * ended before, of the candidate's revision now and under the policy in force, held against each other on the members that all of them answered. In the order of their names.
   */
  compare(selectionId: number): Promise<SelectionResult[]>;
  /** All candidates with results of it, by name, and whether any are of the revision now and the policy in force. */
  replayedTo(selectionId: number): Promise<{ name: string; current: boolean }[]>;
}

export function createSelectionComparisons(prisma: PrismaClient): SelectionComparisons {
  return {
    async compare(selectionId) {
      const rows = await prisma.$queryRaw<(Omit<SelectionResult, "common"> & SelectionResult["common"])[]>`
        WITH replayed AS MATERIALIZED (
          SELECT DISTINCT ON (c.id) c.name, r.id
          FROM replays p
          JOIN selections s ON s.id = p.selection_id
          JOIN runs r ON r.id = p.run_id
          JOIN candidates c ON c.id = r.candidate_id
          WHERE p.selection_id = ${selectionId} AND p.created_at > s.sealed_at AND p.target->>'kind' = 'candidate'
            AND ${isCurrent}
            AND EXISTS (SELECT FROM outcomes o WHERE o.run_id = r.id)
          ORDER BY c.id, p.state IN ('cancelled', 'failed'), p.state = 'done' DESC, r.id DESC
          LIMIT ${candidatesMax}
        ), ended AS MATERIALIZED (
          SELECT o.run_id, o.day, o.capture_id, o.disposition, o.result, o.flip, o.candidate_ms
          FROM replayed JOIN outcomes o ON o.run_id = replayed.id
          JOIN selection_members m ON m.selection_id = ${selectionId} AND m.capture_id = o.capture_id AND m.day = o.day
        ), common AS MATERIALIZED (
          SELECT day, capture_id FROM ended WHERE disposition = 'compared'
          GROUP BY day, capture_id HAVING count(*) = (SELECT count(*) FROM replayed)
        )
        SELECT replayed.name AS candidate, replayed.id AS "runId", count(e.*)::float8 AS finished,
          (count(*) FILTER (WHERE e.disposition = 'compared'))::float8 AS answered,
          (count(*) FILTER (WHERE e.disposition = 'candidate_error'))::float8 AS failed,
          count(c.capture_id)::float8 AS requests,
          (count(c.capture_id) FILTER (WHERE e.result = 'match'))::float8 AS matches,
          (count(c.capture_id) FILTER (WHERE e.result = 'mismatch'))::float8 AS mismatches,
          (count(c.capture_id) FILTER (WHERE e.flip IS NOT NULL))::float8 AS decided,
          (count(c.capture_id) FILTER (WHERE e.flip))::float8 AS flips,
          percentile_disc(0.5) WITHIN GROUP (ORDER BY e.candidate_ms) FILTER (WHERE c.capture_id IS NOT NULL) AS "p50Ms",
          percentile_disc(0.99) WITHIN GROUP (ORDER BY e.candidate_ms) FILTER (WHERE c.capture_id IS NOT NULL) AS "p99Ms"
        FROM replayed
        LEFT JOIN ended e ON e.run_id = replayed.id
        LEFT JOIN common c ON c.day = e.day AND c.capture_id = e.capture_id
        GROUP BY replayed.name, replayed.id ORDER BY replayed.name`;
      return rows.map(({ candidate, runId, finished, answered, failed, ...common }) => ({
        candidate,
        runId,
        finished,
        answered,
        failed,
        common,
      }));
    },

    replayedTo: (selectionId) =>
      prisma.$queryRaw<{ name: string; current: boolean }[]>`
        SELECT c.name, bool_or(${isCurrent}) AS current
        FROM replays p JOIN runs r ON r.id = p.run_id JOIN candidates c ON c.id = r.candidate_id
        WHERE p.selection_id = ${selectionId} AND p.target->>'kind' = 'candidate'
          AND EXISTS (SELECT FROM outcomes o WHERE o.run_id = r.id)
        GROUP BY c.name
        ORDER BY c.name`,
  };
}
