import { stringifyJson } from "../protocol/json.js";
import type { JsonPlace } from "./json-path.js";
import { valueAt } from "./json-path.js";
import type { KeyedHash } from "./keyed-hash.js";
import type { RedactionAction } from "./settings.js";

/** What stands where text was. */
export const maskedText = "[redacted]";

/** @throws when a hash is asked for and there is no key */
export function keyOf(hash: KeyedHash | null): KeyedHash {
  if (hash === null) throw new Error("UNDERSTUDY_REDACTION_KEY is not set here");
  return hash;
}

/** The first N characters (code points, so that none is cut in half). */
export function truncated(text: string, characters: number): string {
  // Each code point is one or two units: no more of the text need be looked at.
  return Array.from(text.slice(0, 2 * characters))
    .slice(0, characters)
    .join("");
}

/**
 * What a JSON value becomes: masked, each leaf as its type has it (`"[redacted]"`, 0, false, null); hashed, one word;
 * truncated, its text cut, and what is no text masked, since a number's first digits say too much.
 */
export function redactedValue(
  value: unknown,
  action: Exclude<RedactionAction, "drop">,
  hash: KeyedHash | null,
): unknown {
  if (action === "hash") return keyOf(hash).value(typeof value === "string" ? value : stringifyJson(value));
  if (typeof value === "string") return action === "mask" ? maskedText : truncated(value, action.truncate);
  if (typeof value === "number" || typeof value === "bigint") return 0;
  if (typeof value === "boolean") return false;
  if (Array.isArray(value)) return value.map((element) => redactedValue(element, action, hash));
  if (typeof value !== "object" || value === null) return null;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, redactedValue(member, action, hash)]),
  );
}

/** Applies an action where places are, in one JSON value. */
export function redactPlaces(
  places: readonly JsonPlace[],
  action: RedactionAction,
  hash: KeyedHash | null,
): void {
  // From the back: dropping an element of an array moves those behind it.
  for (const place of [...places].reverse()) {
    const { parent, key } = place;
    if (action !== "drop") {
      (parent as Record<string | number, unknown>)[key] = redactedValue(valueAt(place), action, hash);
    } else if (Array.isArray(parent)) {
      parent.splice(Number(key), 1);
    } else {
      delete parent[key];
    }
  }
}
