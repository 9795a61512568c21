import { randomUUID } from "node:crypto";
import { UnderstudyError } from "../errors.js";
import type { PrismaClient } from "./client.js";
import type { Erasure, ErasureProof } from "./erasure-types.js";
import { Prisma } from "./generated/client.js";
import type { ErasureModel } from "./generated/models/Erasure.js";
import type { Transaction } from "./runs.js";
import { column } from "./sql.js";
import { requestMark } from "./tombstones.js";

/** What is to be erased of one deployment. */
export interface ErasureTarget {
  deploymentId: number;
  /** Ids of captures. */
  captures: readonly string[];
  /** Ids that clients gave, as captures' tags hold them. Kept as salted hashes. */
  requests: readonly string[];
  /** Keyed hashes. */
  subjects: readonly string[];
}

export interface Erasures {
  /**
   * Writes the tombstones: from then on nothing that they mean is read, and what is catalogued later is known as erased
   * at once. A worker does the rest.
   * @throws UnderstudyError `not_found` when there is no deployment left
   */
  create(
    erasure: Pick<Erasure, "kind" | "deployment"> & { targets: readonly ErasureTarget[] },
  ): Promise<Erasure>;
  get(id: string): Promise<Erasure>;
  /** The newest first, from after `before` on. */
  list(options: { before: string | null; limit: number }): Promise<Erasure[]>;
}

export function createErasures(prisma: PrismaClient): Erasures {
  return {
    async create({ kind, deployment, targets }) {
      const id = randomUUID();
      await prisma.$transaction(async (tx) => {
        await tx.erasure.create({ data: { id, kind, deployment } });
        for (const target of targets) await writeTombstones(tx, id, target);
        if ((await tx.tombstone.count({ where: { erasureId: id } })) > 0) return;
        throw new UnderstudyError("not_found", "There is no deployment to erase anything of.");
      });
      return toErasure(await prisma.erasure.findUniqueOrThrow({ where: { id } }));
    },

    async get(id) {
      const row = await prisma.erasure.findUnique({ where: { id } });
      if (row !== null) return toErasure(row);
      throw new UnderstudyError("not_found", `There is no erasure ${id}.`, {
        hint: "`GET /api/v1/erasures` lists those that there are.",
      });
    },

    async list({ before, limit }) {
      const rows = await prisma.$queryRaw<ErasureModel[]>`
        SELECT id::text, kind, deployment, found, erased, waiting_for AS "waitingFor", error, proof,
               created_at AS "createdAt", scanned_at AS "scannedAt", done_at AS "doneAt"
        FROM erasures
        WHERE ${before === null ? Prisma.sql`TRUE` : Prisma.sql`(created_at, id) < (SELECT created_at, id FROM erasures WHERE id = ${before}::uuid)`}
        ORDER BY created_at DESC, erasures.id DESC LIMIT ${limit}`;
      return rows.map(toErasure);
    },
  };
}

/**
 * The raised revision tells a `commitSegment` that waited for the deployment's lock that there are tombstones which it
 * does not see: a segment is catalogued either before them, or by them. A capture's own id holds for ever; what a client
 * or a person sends after this moment is another matter.
 */
async function writeTombstones(tx: Transaction, erasureId: string, target: ErasureTarget): Promise<void> {
  const { deploymentId, captures, requests, subjects } = target;
  await tx.$executeRaw`
    UPDATE deployments SET revision = revision + 1 WHERE id = ${deploymentId}`;
  await tx.$executeRaw`
    INSERT INTO tombstones (erasure_id, deployment_id, mark, until)
    SELECT ${erasureId}::uuid, d.id, m.mark, m.until
    FROM deployments d, LATERAL (
      SELECT 'capture:' || id, 'infinity'::timestamptz
      FROM unnest(${column(captures, (id) => id)}::text[]) AS c(id)
      UNION ALL
      SELECT ${requestMark(Prisma.sql`d.erasure_salt`, Prisma.sql`r.id`)}, clock_timestamp()
      FROM unnest(${column(requests, (id) => id)}::text[]) AS r(id)
      UNION ALL
      SELECT 'subject:' || s.hash, clock_timestamp() FROM unnest(${column(subjects, (hash) => hash)}::text[]) AS s(hash)
    ) AS m(mark, until)
    WHERE d.id = ${deploymentId}
    ON CONFLICT DO NOTHING`;
}

function toErasure(row: ErasureModel): Erasure {
  const { id, kind, deployment, found, erased, waitingFor, error, proof, createdAt, doneAt } = row;
  const state = doneAt !== null ? "done" : waitingFor.length > 0 ? "waiting" : "running";
  return {
    id,
    kind: kind as Erasure["kind"],
    deployment,
    state,
    found,
    erased,
    waitingFor: doneAt === null ? waitingFor : [],
    error: doneAt === null ? error : null,
    proof: proof as ErasureProof | null,
    createdAtMs: createdAt.getTime(),
    doneAtMs: doneAt?.getTime() ?? null,
  };
}
