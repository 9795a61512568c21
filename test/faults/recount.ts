import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { createFileStore } from "../../src/blobs/file-store.js";
import { readSegment } from "../../src/capture/segment.js";
import type { CandidateLedger, Ledger } from "../../src/store/types.js";
import { onServer } from "../support/postgres.js";

/**
 * The account of a deployment that is at rest, counted anew. It shares no query with the product: `understudy recount`,
 * which does the same for users, is held against it.
 */
export interface Recount {
  ledger: Ledger;
  /** Captures in the Parquet files of catalogued segments. */
  captured: number;
  /** Outcome rows. */
  outcomes: number;
  /** Everything that does not agree; empty when the account is sound. */
  faults: string[];
}

/**
 * Counts from what is on disk and in the tables of single rows, and compares that with what the product says: nothing
 * that reached the spool may be missing or stand twice, and each capture must have ended once in every live run.
 */
export async function recount(at: {
  databaseUrl: string;
  blobFolder: string;
  dataDir: string;
  ledger: Ledger;
  /** Segments whose files were spoilt on purpose: their captures are known by their rows alone. */
  spoilt?: ReadonlySet<string>;
}): Promise<Recount> {
  const { databaseUrl, blobFolder, dataDir, ledger, spoilt = new Set() } = at;
  const faults: string[] = [];
  const expect = (what: string, actual: unknown, wanted: unknown) => {
    const [is, should] = [JSON.stringify(actual), JSON.stringify(wanted)];
    if (is !== should) faults.push(`${what}: ${is}, not ${should}`);
  };
  const blobs = createFileStore(blobFolder);

  return onServer(databaseUrl, async (client) => {
    const rows = async <Row>(text: string) => (await client.query(text)).rows as Row[];
    const segments = await rows<{ id: string; blob_key: string; sha256: string }>(
      "SELECT id, blob_key, sha256 FROM segments",
    );
    const ids: string[] = [];
    for (const { id, blob_key, sha256 } of segments) {
      if (spoilt.has(id)) {
        const known = await client.query("SELECT id FROM captures WHERE segment_id = $1", [id]);
        ids.push(...known.rows.map((row: { id: string }) => row.id));
        continue;
      }
      const bytes = await blobs.get(blob_key);
      expect(`digest of ${id}`, createHash("sha256").update(bytes).digest("hex"), sha256);
      ids.push(...(await readSegment(bytes)).map((capture) => capture.id));
    }
    const unique = new Set(ids);
    expect("captures that stand twice in segments", ids.length - unique.size, 0);
    const catalogued = await rows<{ id: string }>("SELECT id FROM captures");
    expect("rows of captures", catalogued.length, unique.size);
    expect("captures without a segment", catalogued.filter(({ id }) => !unique.has(id)).length, 0);
    expect("captured, as the ledger has it", ledger.captured, unique.size);

    const runs = await rows<{ id: number; name: string }>(
      `SELECT DISTINCT ON (c.id) r.id, c.name FROM runs r JOIN candidates c ON c.id = r.candidate_id
       WHERE r.kind = 'live' ORDER BY c.id, r.id DESC`,
    );
    let outcomes = 0;
    for (const { id: runId, name } of runs) {
      const ended = await rows<{ capture_id: string; label: string }>(
        `SELECT capture_id, disposition || coalesce(':' || reason, '') AS label FROM outcomes WHERE run_id = ${runId}`,
      );
      outcomes += ended.length;
      const judged = new Set(ended.map((row) => row.capture_id));
      expect(`${name}: outcomes of one capture twice`, ended.length - judged.size, 0);
      expect(`${name}: outcomes without a capture`, [...judged].filter((id) => !unique.has(id)).length, 0);
      const { not_assigned: notAssigned = 0 } = ledger.candidates[name]?.notReplayed ?? {};
      expect(`${name}: captures with an outcome`, judged.size, unique.size - notAssigned);
      const counts: Record<string, number> = {};
      for (const { label } of ended) counts[label] = (counts[label] ?? 0) + 1;
      expect(`${name}: as the ledger has it`, sorted(labelsOf(ledger.candidates[name])), sorted(counts));
    }
    expect("works still open", await openWorks(databaseUrl), 0);
    expect("files left in the spool", (await spoolFiles(dataDir)).join(" "), "");
    expect("balanced", ledger.balanced, true);
    return { ledger, captured: unique.size, outcomes, faults };
  });
}

/** Works of any run that are still to be done; those of a rejudge, too, which no ledger waits for. */
export function openWorks(databaseUrl: string): Promise<number> {
  return onServer(databaseUrl, async (client) => {
    const { rows } = await client.query(
      "SELECT count(*)::int AS n FROM work WHERE state NOT IN ('done', 'dead', 'split')",
    );
    return rows[0].n as number;
  });
}

export async function spoolFiles(dataDir: string): Promise<string[]> {
  const names = await readdir(dataDir, { recursive: true }).catch(() => []);
  return names.filter((name) => name.endsWith(".spool"));
}

/** A candidate's account under the labels of single outcomes. */
function labelsOf(account: CandidateLedger | undefined): Record<string, number> {
  if (account === undefined) return {};
  const { compared, expired, dead, erased } = account;
  const under = (prefix: string, counts: Record<string, number>) =>
    Object.entries(counts)
      .filter(([reason]) => reason !== "not_assigned")
      .map(([reason, n]) => [`${prefix}:${reason}`, n] as const);
  return Object.fromEntries([
    ...Object.entries({ compared, expired, dead, erased }),
    ...under("candidate_error", account.candidateError),
    ...under("not_replayed", account.notReplayed),
  ]);
}

function sorted(counts: Record<string, number>): [string, number][] {
  return Object.entries(counts)
    .filter(([, n]) => n > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
