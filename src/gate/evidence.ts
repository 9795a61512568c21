import { createHash } from "node:crypto";
import { type SetCounts, sum } from "./set.js";

/**
 * JSON with the keys of each object in order, so that the same values have the same text wherever they were stored.
 * Non-finite numbers become strings, as on the wire.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, part]) => part !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, part]) => `${JSON.stringify(key)}:${canonicalJson(part)}`).join(",")}}`;
  }
  if (typeof value === "number" && !Number.isFinite(value)) return JSON.stringify(String(value));
  // A negative zero does not survive JSON.
  return JSON.stringify(value ?? null);
}

/** SHA-256 of a value's canonical JSON, in hexadecimal digits. */
export function digestOf(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}

/** What exactly was under test: its file, where we serve it; else its address, version and own description. */
export function modelDigest(model: {
  url: string;
  name: string;
  version: string | null;
  sha256: string | null;
  metadata: unknown;
}): string {
  if (model.sha256 !== null) return model.sha256;
  const { url, name, version, metadata } = model;
  return digestOf({ url, name, version, metadata });
}

/**
 * The account of a set, as far as it cannot change any more. What was erased since is not in it: each erased request
 * leaves the term that it was in, so they are compared by {@link ledgerChange} and not by digest alone.
 */
export function ledgerDigest(counts: SetCounts): string {
  return digestOf(counts);
}

/**
 * Whether the account of a set is still what it was: null, or how many were erased since, or that it changed.
 *
 * @param then what the gate counted
 * @param now the same set, counted now
 */
export function ledgerChange(then: SetCounts, now: Omit<SetCounts, "captured">): number | "changed" {
  const before = endings(then);
  const after = endings(now);
  const erased = now.erased - then.erased;
  if (erased < 0) return "changed";
  const left = Object.keys({ ...before, ...after }).map((key) => (before[key] ?? 0) - (after[key] ?? 0));
  if (left.some((missing) => missing < 0)) return "changed";
  return left.reduce((total, missing) => total + missing, 0) === erased ? erased : "changed";
}

/** How many requests ended in each way; erased ones apart. */
function endings(counts: Omit<SetCounts, "captured">): Record<string, number> {
  const { matches, mismatches, ignored, incomparable, expired, dead, candidateError, notReplayed } = counts;
  return {
    matches,
    mismatches,
    ignored,
    incomparable,
    expired,
    dead,
    candidateError: sum(candidateError),
    notReplayed: sum(notReplayed),
  };
}
