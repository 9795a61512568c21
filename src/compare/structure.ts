import deepDiff from "deep-diff";
import { plainJson } from "../protocol/json.js";
import type { StructuralDifference } from "./types.js";

/** How many differences are listed; that there are more does not change the judgement. */
export const differencesMax = 20;
/** Beyond this many values in both documents, the difference is stated but not located: deep-diff is quadratic in keys. */
const locatedValuesMax = 10_000;
const shownCharactersMax = 200;

/**
 * The differences between two JSON values, located by deep-diff. Empty if and only if the two are equal: deep-diff
 * passes over an added key that is empty, and a document can be too large for it; the whole is then what differs.
 * −0 equals 0, and NaN, which is not JSON but is found in it, equals itself.
 */
export function differencesOf(primary: unknown, candidate: unknown): StructuralDifference[] {
  if (isSameJson(primary, candidate)) return [];
  const whole = { kind: "E" as const, lhs: primary, rhs: candidate };
  const isLarge = sizeOf(primary) + sizeOf(candidate) > locatedValuesMax;
  const found = isLarge ? [] : (deepDiff.diff(primary, candidate) ?? []);
  return (found.length > 0 ? found : [whole]).slice(0, differencesMax).map(described);
}

type Found = deepDiff.Diff<unknown>;

function described(difference: Found): StructuralDifference {
  const path = difference.path ?? [];
  switch (difference.kind) {
    case "N":
      return { path: pathText(path), change: "added", candidate: shown(difference.rhs) };
    case "D":
      return { path: pathText(path), change: "removed", primary: shown(difference.lhs) };
    case "E":
      return {
        path: pathText(path),
        change: "changed",
        primary: shown(difference.lhs),
        candidate: shown(difference.rhs),
      };
    case "A":
      return { ...described(difference.item), path: pathText([...path, difference.index]), change: "array" };
  }
}

function pathText(path: readonly (string | number)[]): string {
  const text = path
    .map((key, i) => {
      if (typeof key === "number") return `[${key}]`;
      if (!/^[A-Za-z_][\w-]*$/.test(key)) return `[${JSON.stringify(key)}]`;
      return i === 0 ? key : `.${key}`;
    })
    .join("");
  return clipped(text);
}

/** A value fit for a report: itself when short, else the beginning of its JSON. */
function shown(value: unknown): unknown {
  const plain = plainJson(value);
  if (typeof plain === "string") return clipped(plain);
  const text = JSON.stringify(plain);
  return text.length <= shownCharactersMax ? plain : clipped(text);
}

/** Text cut to a length that can be shown, and marked where it was cut. */
export function clipped(text: string): string {
  return text.length <= shownCharactersMax ? text : `${text.slice(0, shownCharactersMax - 1)}…`;
}

/** Whether two JSON values are equal, as {@link differencesOf} has it; in linear time. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && isSameJson(member(a, key), member(b, key)));
}

function member(object: object, key: string): unknown {
  return (object as Record<string, unknown>)[key];
}

function sizeOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce<number>((sum, item) => sum + sizeOf(item), 1);
}
