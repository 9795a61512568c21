import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { minuteOf } from "../ids.js";
import { type AccountMinute, createAccount } from "./account.js";
import { type Epoch, type EpochIdentity, epochFiles, openEpoch } from "./epoch.js";
import { foldJournal, type JournalState, openJournal, readJournal } from "./journal.js";
import { readRecord, type StoredRecord, soundRecordSize } from "./record.js";
import { readReservation } from "./reservation.js";
import { type ClosedFile, parseSpoolFileName } from "./spool-file.js";

type SpooledRecord = Pick<StoredRecord, "deploymentId" | "sequence" | "receivedAtMs" | "cut">;

/**
 * Takes up the epoch of a capture side that is no more, and settles its account: what lies in the spool is buffered;
 * what was reserved and is in no account is lost, an upper bound. An epoch that ended in order loses nothing by this,
 * and settling twice, should this process die too, changes nothing.
 *
 * @param known how many requests each deployment really had, where the serving thread lives on and can tell
 */
export async function settleEpoch(deps: {
  folder: string;
  known?: ReadonlyMap<number, number>;
  clockOffsetMs: () => number;
  onJournalError: (error: unknown) => void;
}): Promise<Epoch> {
  const { folder, known, clockOffsetMs, onJournalError } = deps;
  const identity = JSON.parse(readFileSync(join(folder, epochFiles.identity), "utf8")) as EpochIdentity;
  const journalPath = join(folder, epochFiles.journal);
  const state = existsSync(journalPath) ? foldJournal(readJournal(journalPath).records) : foldJournal([]);
  const reservationPath = join(folder, epochFiles.reservation);
  const reserved = known ?? (existsSync(reservationPath) ? readReservation(reservationPath) : new Map());

  const { files, records } = await recoverFiles(folder, state);
  const settled = state.ended === null ? settleAccount(identity, state, records, reserved) : state;
  if (state.ended === null) {
    const journal = openJournal(journalPath, () => journalRecordOf(settled));
    try {
      journal.append(journalRecordOf(settled));
    } catch (error) {
      onJournalError(error);
    }
    await journal.sync();
    journal.close();
  }

  const account = createAccount();
  for (const minute of withoutDamage(settled.minutes, files)) account.restore(minute);
  // Each start numbers its shipments above those of the start before.
  const before = { ...settled, cut: settled.cut + 1, done: existing(folder, state.done) };
  const epoch = openEpoch({ identity, folder, account, before, clockOffsetMs, onJournalError });
  epoch.files.push(...files);
  return epoch;
}

/**
 * What a minute spooled is in segments or in files. The rest the disk lost, as it may in a power cut: nothing is synced
 * there. It is a `spool_error`, as it is in the account of a process that lives.
 */
function withoutDamage(minutes: readonly AccountMinute[], files: readonly ClosedFile[]): AccountMinute[] {
  const inFiles = new Map<string, number>();
  for (const file of files) {
    for (const [minuteMs, count] of file.minutes) {
      const key = `${file.deploymentId}:${minuteMs}`;
      inFiles.set(key, (inFiles.get(key) ?? 0) + count);
    }
  }
  return minutes.map((minute) => {
    const { served, kept, catalogued } = minute;
    const there = catalogued + (inFiles.get(`${served.deploymentId}:${served.minuteMs}`) ?? 0);
    const damaged = kept.spooled - there;
    if (damaged <= 0) return minute;
    const dropped = { ...kept.dropped, spool_error: (kept.dropped.spool_error ?? 0) + damaged };
    return { ...minute, kept: { ...kept, spooled: there, dropped } };
  });
}

/** Reads what lies in the spool files, and cuts off torn tails. */
async function recoverFiles(
  folder: string,
  { done, sending }: Pick<JournalState, "done" | "sending">,
): Promise<{ files: ClosedFile[]; records: SpooledRecord[] }> {
  const files: ClosedFile[] = [];
  const records: SpooledRecord[] = [];
  for (const name of readdirSync(folder).sort()) {
    const parsed = parseSpoolFileName(name);
    if (parsed === null || done.has(name)) continue;
    const path = join(folder, name);
    // One at a time: traffic goes on meanwhile, on this same thread.
    const data = await readFile(path);
    const minutes = new Map<number, number>();
    let bytes = 0;
    for (let size = soundRecordSize(data, 0); size > 0; size = soundRecordSize(data, bytes)) {
      const { deploymentId, sequence, receivedAtMs, cut } = readRecord(data, bytes);
      records.push({ deploymentId, sequence, receivedAtMs, cut });
      const minuteMs = minuteOf(receivedAtMs);
      minutes.set(minuteMs, (minutes.get(minuteMs) ?? 0) + 1);
      bytes += size;
    }
    if (bytes < data.length) await truncate(path, bytes);
    files.push({ path, name, bytes, minutes, ...parsed });
  }
  if (sending === null || done.has(sending.name)) return { files, records };
  // Its segment may be catalogued: until it is sent again, every other cut would count its captures as buffered too.
  // What it had, and has no more, is counted when it is known whether it is.
  const { name, minutes } = sending;
  const found = files.find((file) => file.name === name);
  const first = found ?? { path: join(folder, name), name, bytes: 0, ...parseSpoolFileName(name)! };
  const rest = files.filter((file) => file !== found);
  return { files: [{ ...first, minutes: new Map(minutes) }, ...rest], records };
}

/**
 * Brings the account of the newest cut up to what is on disk. A record that a later cut would have covered was either
 * in flight at the newest one, or received after it. The rest of what was in flight, and of what was reserved, is lost.
 */
function settleAccount(
  identity: EpochIdentity,
  state: JournalState,
  records: readonly SpooledRecord[],
  reserved: ReadonlyMap<number, number>,
): JournalState {
  const minutes = new Map<string, AccountMinute>();
  const minuteFor = (deploymentId: number, minuteMs: number): AccountMinute => {
    const key = `${deploymentId}:${minuteMs}`;
    const served = {
      deploymentId,
      minuteMs,
      received: 0,
      inFlight: 0,
      sampledOut: 0,
      dropped: {},
      requestBytes: 0,
      responseBytes: 0,
    };
    const minute = minutes.get(key) ?? {
      served,
      kept: { spooled: 0, held: 0, sampledOut: 0, notEligible: {}, dropped: {} },
      lost: 0,
      catalogued: 0,
    };
    minutes.set(key, minute);
    return minute;
  };
  for (const minute of state.minutes) {
    minutes.set(`${minute.served.deploymentId}:${minute.served.minuteMs}`, structuredClone(minute));
  }

  const received = new Map(state.received);
  for (const record of records) {
    if (record.cut <= state.cut) continue;
    const minute = minuteFor(record.deploymentId, minuteOf(record.receivedAtMs));
    minute.kept.spooled += 1;
    if (record.sequence < state.sequence && minute.served.inFlight > 0) {
      minute.served.inFlight -= 1;
    } else if (record.sequence < state.sequence && minute.kept.held > 0) {
      minute.kept.held -= 1;
    } else {
      minute.served.received += 1;
      received.set(record.deploymentId, (received.get(record.deploymentId) ?? 0) + 1);
    }
  }
  for (const minute of minutes.values()) {
    minute.lost += minute.served.inFlight + (minute.kept.held ?? 0);
    minute.served.inFlight = 0;
    minute.kept.held = 0;
  }
  for (const [deploymentId, count] of reserved) {
    const unaccounted = count - (received.get(deploymentId) ?? 0);
    if (unaccounted <= 0) continue;
    const lastMs = Math.max(
      minuteOf(state.atMs === 0 ? identity.startedAtMs : state.atMs),
      ...[...minutes.values()]
        .filter((minute) => minute.served.deploymentId === deploymentId)
        .map((minute) => minute.served.minuteMs),
    );
    const minute = minuteFor(deploymentId, lastMs);
    minute.served.received += unaccounted;
    minute.lost += unaccounted;
    received.set(deploymentId, count);
  }
  return { ...state, cut: state.cut + 1, received, minutes: [...minutes.values()], ended: "settled" };
}

function journalRecordOf(state: JournalState) {
  return { ...state, received: [...state.received], done: [...state.done] };
}

function existing(folder: string, names: ReadonlySet<string>): Set<string> {
  return new Set([...names].filter((name) => existsSync(join(folder, name))));
}
