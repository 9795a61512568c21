import type { LedgerMinute } from "../store/types.js";
import type { DropReason, NotEligibleReason } from "./capture.js";
import type { ServedMinute } from "./cut.js";

/** Minutes older than the newest by this are forgotten once nothing of them is open. The serving thread's is less. */
const rememberedMs = 2 * 3_600_000 + 120_000;

/** What the capture side counted. */
export interface KeptCounts {
  /** Captures written to the spool, but for those that were found ineligible or damaged since. */
  spooled: number;
  /** Held in memory until their sequence is whole. */
  held: number;
  /** Handed over, and left out there: of a sequence that is not sampled, or of none. */
  sampledOut: number;
  notEligible: Partial<Record<NotEligibleReason, number>>;
  dropped: Partial<Record<DropReason, number>>;
}

/** One minute of one deployment as of a cut, as both sides counted it. */
export interface AccountMinute {
  served: ServedMinute;
  kept: KeptCounts;
  /** Received, and after a crash nobody knows what became of them. Part of `served.received`. */
  lost: number;
  /** Of `kept.spooled`, what is in segments by now, whatever cut there was since. The rest lies in the spool. */
  catalogued: number;
}

/** Captures by minute of receipt. */
export type MinuteCounts = ReadonlyMap<number, number>;

/** Why a capture in the spool becomes none after all. */
export type Withdrawal = { notEligible: NotEligibleReason } | { dropped: DropReason };

/** What became of one spool file: each of its records was captured, or is withdrawn. */
export interface FileOutcome {
  deploymentId: number;
  captured: MinuteCounts;
  withdrawn: readonly { minuteMs: number; why: Withdrawal }[];
}

/** Minutes on their way to Postgres. */
export interface Shipment {
  minutes: LedgerMinute[];
  /**
   * They have arrived, and the file's segment with them; what has not changed since need not be shipped again.
   * Returns the minutes of the file, for the journal.
   */
  arrived(): AccountMinute[];
}

/**
 * The account of one epoch, kept by the capture thread. For each minute, at the newest cut,
 * `received = inFlight + sampledOut + notEligible + dropped + lost + spooled + held`; of the spooled some are
 * catalogued, the rest are buffered. What happens after a cut waits for the next.
 */
export interface Account {
  spooled(deploymentId: number, counts: MinuteCounts): void;
  /** Given up before it reached the spool. */
  dropped(deploymentId: number, counts: MinuteCounts, reason: DropReason): void;
  sampledOut(deploymentId: number, atMinuteMs: number): void;
  notEligible(deploymentId: number, atMinuteMs: number, reason: NotEligibleReason): void;
  held(deploymentId: number, atMinuteMs: number, change: 1 | -1): void;
  /** Takes over a cut. Returns the minutes that it changed. */
  cut(minutes: readonly ServedMinute[]): AccountMinute[];
  /** Puts a minute in as a journal had it, when an epoch is taken up again. */
  restore(minute: AccountMinute): void;
  /** Whether Postgres lacks anything. */
  readonly dirty: boolean;
  /** What Postgres lacks, as it will be once the file, if any, is done with. Cuts cover all of the file. */
  ship(file?: FileOutcome): Shipment;
  /** All minutes as of the newest cut. */
  minutes(): AccountMinute[];
  /** By deployment, since the account was opened; for metrics. */
  readonly totals: ReadonlyMap<number, KeptCounts>;
}

interface Entry extends AccountMinute {
  /** The capture side's counts now; `kept` is what they were at the newest cut. */
  running: KeptCounts;
  /** Raised by every change, so that a shipment knows what it carried. */
  revision: number;
}

export function createAccount(): Account {
  const entries = new Map<string, Entry>();
  const totals = new Map<number, KeptCounts>();
  let running = new Set<Entry>();
  const dirty = new Set<Entry>();
  let newestMs = 0;

  function entryOf(deploymentId: number, minuteMs: number): Entry {
    const key = `${deploymentId}:${minuteMs}`;
    let entry = entries.get(key);
    if (entry === undefined) {
      entry = {
        served: {
          deploymentId,
          minuteMs,
          received: 0,
          inFlight: 0,
          sampledOut: 0,
          dropped: {},
          requestBytes: 0,
          responseBytes: 0,
        },
        kept: noCounts(),
        lost: 0,
        running: noCounts(),
        catalogued: 0,
        revision: 0,
      };
      entries.set(key, entry);
      newestMs = Math.max(newestMs, minuteMs);
    }
    return entry;
  }

  function totalsOf(deploymentId: number): KeptCounts {
    let counts = totals.get(deploymentId);
    if (counts === undefined) {
      counts = noCounts();
      totals.set(deploymentId, counts);
    }
    return counts;
  }

  function change(entry: Entry): void {
    entry.revision += 1;
    dirty.add(entry);
  }

  function forget(): void {
    for (const [key, entry] of entries) {
      const open =
        entry.served.inFlight > 0 || entry.kept.held > 0 || entry.kept.spooled !== entry.catalogued;
      const old = entry.served.minuteMs < newestMs - rememberedMs;
      if (old && !open && !dirty.has(entry) && !running.has(entry)) entries.delete(key);
    }
  }

  return {
    totals,

    spooled(deploymentId, counts) {
      for (const [minuteMs, count] of counts) {
        const entry = entryOf(deploymentId, minuteMs);
        entry.running.spooled += count;
        totalsOf(deploymentId).spooled += count;
        running.add(entry);
      }
    },

    dropped(deploymentId, counts, reason) {
      for (const [minuteMs, count] of counts) {
        const entry = entryOf(deploymentId, minuteMs);
        add(entry.running.dropped, reason, count);
        add(totalsOf(deploymentId).dropped, reason, count);
        running.add(entry);
      }
    },

    sampledOut(deploymentId, minuteMs) {
      const entry = entryOf(deploymentId, minuteMs);
      entry.running.sampledOut += 1;
      totalsOf(deploymentId).sampledOut += 1;
      running.add(entry);
    },

    notEligible(deploymentId, minuteMs, reason) {
      const entry = entryOf(deploymentId, minuteMs);
      add(entry.running.notEligible, reason, 1);
      add(totalsOf(deploymentId).notEligible, reason, 1);
      running.add(entry);
    },

    held(deploymentId, minuteMs, change) {
      const entry = entryOf(deploymentId, minuteMs);
      entry.running.held += change;
      totalsOf(deploymentId).held += change;
      running.add(entry);
    },

    cut(minutes) {
      const changed = running;
      running = new Set();
      for (const served of minutes) {
        const entry = entryOf(served.deploymentId, served.minuteMs);
        entry.served = served;
        changed.add(entry);
      }
      for (const entry of changed) {
        entry.kept = copyOf(entry.running);
        change(entry);
      }
      return [...changed].map(plainMinute);
    },

    restore(minute) {
      const entry = entryOf(minute.served.deploymentId, minute.served.minuteMs);
      entry.served = minute.served;
      entry.kept = copyOf(minute.kept);
      entry.running = copyOf(minute.kept);
      entry.lost = minute.lost;
      entry.catalogued = minute.catalogued;
      change(entry);
    },

    get dirty() {
      return dirty.size > 0;
    },

    ship(file) {
      const carried = new Map<Entry, { revision: number; captured: number; withdrawn: Withdrawal[] }>();
      const carry = (entry: Entry) => {
        const load = carried.get(entry) ?? { revision: entry.revision, captured: 0, withdrawn: [] };
        carried.set(entry, load);
        return load;
      };
      for (const entry of dirty) carry(entry);
      for (const [minuteMs, count] of file?.captured ?? []) {
        carry(entryOf(file!.deploymentId, minuteMs)).captured += count;
      }
      for (const { minuteMs, why } of file?.withdrawn ?? []) {
        carry(entryOf(file!.deploymentId, minuteMs)).withdrawn.push(why);
      }
      return {
        minutes: [...carried].map(([entry, { captured, withdrawn }]) => {
          const kept = copyOf(entry.kept);
          for (const why of withdrawn) withdraw(kept, why);
          return ledgerMinute({ ...entry, kept, catalogued: entry.catalogued + captured });
        }),
        arrived() {
          const changed: AccountMinute[] = [];
          for (const [entry, { revision, captured, withdrawn }] of carried) {
            entry.catalogued += captured;
            if (entry.revision === revision) dirty.delete(entry);
            if (captured === 0 && withdrawn.length === 0) continue;
            for (const why of withdrawn) {
              withdraw(entry.kept, why);
              withdraw(entry.running, why);
              withdraw(totalsOf(entry.served.deploymentId), why);
            }
            changed.push(plainMinute(entry));
          }
          forget();
          return changed;
        },
      };
    },

    minutes: () => [...entries.values()].map(plainMinute),
  };
}

function noCounts(): KeptCounts {
  return { spooled: 0, held: 0, sampledOut: 0, notEligible: {}, dropped: {} };
}

function copyOf(kept: KeptCounts): KeptCounts {
  const { spooled, notEligible, dropped } = kept;
  // A journal of an earlier version knows of no sequences.
  const { held = 0, sampledOut = 0 } = kept;
  return { spooled, held, sampledOut, notEligible: { ...notEligible }, dropped: { ...dropped } };
}

function plainMinute({ served, kept, lost, catalogued }: AccountMinute): AccountMinute {
  return { served, kept: copyOf(kept), lost, catalogued };
}

function add<Key extends string>(counts: Partial<Record<Key, number>>, key: Key, by: number): void {
  counts[key] = (counts[key] ?? 0) + by;
}

function withdraw(counts: KeptCounts, why: Withdrawal): void {
  counts.spooled -= 1;
  if ("notEligible" in why) add(counts.notEligible, why.notEligible, 1);
  else add(counts.dropped, why.dropped, 1);
}

function ledgerMinute({ served, kept, lost, catalogued }: AccountMinute): LedgerMinute {
  const dropped: Record<string, number> = { ...served.dropped };
  for (const [reason, count] of Object.entries(kept.dropped)) add(dropped, reason, count);
  return {
    deploymentId: served.deploymentId,
    minuteMs: served.minuteMs,
    received: served.received,
    inFlight: served.inFlight,
    sampledOut: served.sampledOut + kept.sampledOut,
    buffered: kept.spooled + kept.held - catalogued,
    lost,
    notEligible: { ...kept.notEligible },
    dropped,
    // A journal of an earlier version has none.
    requestBytes: served.requestBytes ?? 0,
    responseBytes: served.responseBytes ?? 0,
  };
}
