import type { BlobStore } from "../blobs/blobs.js";
import type { RecountDay, RecountFacts, RecountReader } from "../store/recount.js";
import type { CandidateLedger } from "../store/types.js";
import { recountSegment } from "./segments.js";
import { type SpooledFile, spooledFiles } from "./spool.js";

/** A figure of the ledger that the recount does not confirm. */
export interface Difference {
  what: string;
  ledger: number;
  counted: number;
  why?: string;
}

/** A deployment's account, counted anew from single captures and outcomes. */
export interface Recount {
  /** UTC days that are kept. */
  days: number;
  segments: number;
  /** Captures in the files of segments. */
  captured: number;
  /** Outcome rows of live runs. */
  outcomes: number;
  /** Captures in spool files whose segment is not catalogued. */
  spooled: number;
  /** Epochs with buffered captures whose spool lies elsewhere, so that it was not counted. */
  spoolsElsewhere: string[];
  /** Empty: the ledger is confirmed. */
  differences: Difference[];
}

interface Deps {
  reader: RecountReader;
  blobs: BlobStore;
  /** Folders with gateways' spools. */
  dataDirs: readonly string[];
}

/**
 * Counts what the ledger says anew, and from other sources: captures from the segments' files, how they ended from the
 * rows of outcomes, what is buffered from the spool. What is in Postgres is read in one snapshot, so it may run under
 * traffic; a spool's captures are compared only where the ledger did not move meanwhile.
 */
export async function recount(deps: Deps, deploymentId: number): Promise<Recount> {
  const { reader, dataDirs } = deps;
  const files = await spoolOf(dataDirs, deploymentId);
  const facts = await reader.facts(deploymentId);
  const differences = facts.days.flatMap(dayDifferences);
  let captured = 0;
  for (const segment of facts.segments) {
    const counted = await recountSegment(deps, segment);
    captured += counted.captures;
    differences.push(...counted.differences);
  }
  const open = await uncatalogued(reader, files);
  const moved = movedEpochs(files, await spoolOf(dataDirs, deploymentId));
  const spool = spoolDifferences(open, facts, moved);
  return {
    days: facts.days.length,
    segments: facts.segments.length,
    captured,
    outcomes: facts.days
      .flatMap(({ candidates }) => candidates.flatMap(({ outcomes }) => Object.values(outcomes)))
      .reduce((sum, n) => sum + n, 0),
    spooled: open.reduce((sum, file) => sum + file.captures, 0),
    spoolsElsewhere: spool.elsewhere,
    differences: [...differences, ...spool.differences],
  };
}

function dayDifferences({ day, ledger, dropped, captured, candidates }: RecountDay): Difference[] {
  const found: Difference[] = [];
  const expect = (what: string, said: number, counted: number) => {
    if (said !== counted) found.push({ what: `${day}: ${what}`, ledger: said, counted });
  };
  expect("captured", ledger.captured - dropped, captured);
  for (const { name, outcomes, pending, strays } of candidates) {
    const said = ledger.candidates[name];
    // Part of the day is dropped, and its outcomes with it: the ledger alone has those.
    if (said === undefined || dropped > 0) continue;
    const labels = labelsOf(said);
    for (const label of new Set([...Object.keys(labels), ...Object.keys(outcomes)])) {
      expect(`${name}, ${label}`, labels[label] ?? 0, outcomes[label] ?? 0);
    }
    expect(`${name}, pending`, said.pending, pending);
    expect(`${name}, outcomes without a capture`, 0, strays);
  }
  return found;
}

/** A candidate's account under the labels of single outcomes. */
function labelsOf({ compared, expired, dead, erased, candidateError, notReplayed }: CandidateLedger) {
  const { not_assigned: _, ...assigned } = notReplayed;
  const under = (prefix: string, counts: Record<string, number>) =>
    Object.fromEntries(Object.entries(counts).map(([reason, n]) => [`${prefix}:${reason}`, n]));
  const plain: Record<string, number> = { compared, expired, dead, erased };
  return { ...plain, ...under("candidate_error", candidateError), ...under("not_replayed", assigned) };
}

async function spoolOf(dataDirs: readonly string[], deploymentId: number): Promise<SpooledFile[]> {
  const files = await Promise.all(dataDirs.map((dataDir) => spooledFiles(dataDir, deploymentId)));
  return files.flat();
}

async function uncatalogued(reader: RecountReader, files: readonly SpooledFile[]): Promise<SpooledFile[]> {
  const known = await reader.catalogued(files.map(({ segmentId }) => segmentId));
  return files.filter(({ segmentId }) => !known.has(segmentId));
}

/** Gateways' epochs whose spool was another before and after: captures were on their way. */
function movedEpochs(before: readonly SpooledFile[], after: readonly SpooledFile[]): Set<string | null> {
  const same = (a: SpooledFile, b: SpooledFile) => a.segmentId === b.segmentId && a.captures === b.captures;
  const without = (files: readonly SpooledFile[], others: readonly SpooledFile[]) =>
    files.filter((file) => !others.some((other) => same(file, other)));
  return new Set([...without(before, after), ...without(after, before)].map(({ epoch }) => epoch));
}

/** What the ledger has as buffered must lie in the spool. More may lie there: what came after the newest cut. */
function spoolDifferences(
  open: readonly SpooledFile[],
  { buffered }: RecountFacts,
  moved: ReadonlySet<string | null>,
) {
  const elsewhere: string[] = [];
  const differences: Difference[] = [];
  for (const [epoch, said] of buffered) {
    const own = open.filter((file) => file.epoch === epoch);
    const counted = own.reduce((sum, file) => sum + file.captures, 0);
    if (counted >= said || moved.has(epoch)) continue;
    if (own.length === 0) elsewhere.push(epoch);
    else differences.push({ what: `spool of gateway epoch ${epoch}`, ledger: said, counted });
  }
  return { elsewhere, differences };
}
