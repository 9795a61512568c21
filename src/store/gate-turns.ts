import { ignoresEnded, type Policy } from "../compare/policy.js";
import type { PrismaClient } from "./client.js";
import { isCurrent } from "./current-run.js";
import { Prisma } from "./generated/client.js";

/** Gates over sealed selections go on step by step, whoever takes the step; these keep them in one's hands at a time. */
export interface GateTurns {
  /**
   * A replay whose results a gate of this selection can take: of the same revision of the candidate, under the policy in
   * force, which means what it meant then, and of the sealed members. The newest that a gate took, if any. One that
   * keeps a pace only if it is done, since it reads them in another order; none of which nothing was answered, since
   * the candidate was down.
   */
  reusable(gate: { candidateId: number; selectionId: number }): Promise<number | null>;
  /** A running gate over a selection that nobody has in hand; null: none. It is in hand for so long at most. */
  takeTurn(ms: number): Promise<number | null>;
  /** @param againMs when the next step is due */
  endTurn(id: number, againMs: number): Promise<void>;
  /** Ends gates over live runs that began so long ago: whoever was to judge them has died. */
  endAbandoned(afterMs: number): Promise<void>;
  /** How far a running gate has come, never back; and that it did not do, so that its replay goes on. */
  progress(id: number, change: { read: number; looked: number }): Promise<void>;
}

/** Of an outcome `o`: the candidate answered, if only by an error of its own. */
const isAnswer = Prisma.sql`(
  o.disposition = 'compared' OR (o.disposition = 'candidate_error' AND o.reason NOT IN ('network', 'timeout')))`;

export function createGateTurns(prisma: PrismaClient): GateTurns {
  return {
    async reusable({ candidateId, selectionId }) {
      const known = await prisma.$queryRaw<{ runId: number; policy: Policy; createdAt: Date }[]>`
        SELECT p.run_id AS "runId", o.body AS policy, p.created_at AS "createdAt"
        FROM replays p
        JOIN runs r ON r.id = p.run_id
        JOIN policies o ON o.id = r.policy_id
        JOIN candidates c ON c.id = r.candidate_id
        JOIN selections s ON s.id = p.selection_id
        WHERE p.selection_id = ${selectionId} AND r.candidate_id = ${candidateId}
          AND p.target->>'kind' = 'candidate' AND p.created_at > s.sealed_at AND ${isCurrent}
          AND (p.state = 'done' OR (p.speed IS NULL AND p.on_failure = 'skip'
            AND (p.state IN ('planned', 'running') OR (p.state = 'paused' AND p.for_gate))))
          AND (EXISTS (SELECT FROM outcomes o WHERE o.run_id = p.run_id AND ${isAnswer})
            OR NOT EXISTS (SELECT FROM outcomes o WHERE o.run_id = p.run_id AND o.disposition = 'candidate_error'))
        ORDER BY (SELECT max(g.id) FROM gates g WHERE g.run_id = p.run_id) DESC NULLS LAST,
          p.speed IS NULL DESC, p.state = 'done' DESC, p.run_id DESC`;
      const found = known.find(
        ({ policy, createdAt }) => ignoresEnded(policy, createdAt.getTime(), Date.now()).length === 0,
      );
      return found?.runId ?? null;
    },

    async takeTurn(ms) {
      const [taken] = await prisma.$queryRaw<{ id: number }[]>`
        UPDATE gates SET turn_until = now() + ${ms}::float8 * interval '1 millisecond'
        WHERE id = (
          SELECT id FROM gates
          WHERE state = 'running' AND selection_id IS NOT NULL AND (turn_until IS NULL OR turn_until < now())
          ORDER BY turn_until NULLS FIRST, id
          LIMIT 1
          FOR UPDATE SKIP LOCKED)
        RETURNING id`;
      return taken?.id ?? null;
    },

    async endTurn(id, againMs) {
      await prisma.$executeRaw`
        UPDATE gates SET turn_until = now() + ${againMs}::float8 * interval '1 millisecond' WHERE id = ${id}`;
    },

    async endAbandoned(afterMs) {
      await prisma.$executeRaw`
        UPDATE gates
        SET state = 'failed', ended_at = now(), error = 'Who judged it ended before the verdict. Start another gate.'
        WHERE state = 'running' AND selection_id IS NULL
          AND created_at < now() - ${afterMs}::float8 * interval '1 millisecond'`;
    },

    async progress(id, { read, looked }) {
      await prisma.$executeRaw`
        UPDATE gates SET read = greatest(read, ${read}::int), looked = greatest(looked, ${looked}::int), needs_more = true
        WHERE id = ${id} AND state = 'running'`;
    },
  };
}
