/** One step from a JSON value to its parts. `descend`: to every part of this name, however deep. */
export type JsonStep =
  | { kind: "name"; name: string }
  | { kind: "index"; index: number }
  | { kind: "every" }
  | { kind: "descend"; name: string };

/** Where a path met something: the container, the key in it, and the way there from the root. */
export interface JsonPlace {
  parent: Record<string, unknown> | unknown[];
  key: string | number;
  way: readonly (string | number)[];
}

const stepsMax = 32;
const step =
  /\.\.(?<descend>[^.[\]\s'"*]+)|\.(?<every>\*)|\.(?<name>[^.[\]\s'"*]+)|\[(?<index>\d{1,9})\]|\[(?<all>\*)\]|\[(?:'(?<single>[^'\\]+)'|"(?<double>[^"\\]+)")\]/y;

/**
 * Reads a path: `$`, then `.name`, `['any name']`, `[0]`, `[*]` or `.*`, and `..name` for that name at any depth. A
 * part of JSONPath (RFC 9535) without filters and slices.
 *
 * @returns the steps, or what is wrong
 */
export function parseJsonPath(path: string): JsonStep[] | string {
  if (!path.startsWith("$")) return "must start with $, as in $.user.email";
  const steps: JsonStep[] = [];
  for (let at = 1; at < path.length; ) {
    step.lastIndex = at;
    const found = step.exec(path)?.groups;
    if (!found) return `cannot be read from character ${at} on: write .name, ['a name'], [0], [*] or ..name`;
    at = step.lastIndex;
    const name = found.name ?? found.single ?? found.double;
    if (found.descend !== undefined) steps.push({ kind: "descend", name: found.descend });
    else if (found.index !== undefined) steps.push({ kind: "index", index: Number(found.index) });
    else if (name !== undefined) steps.push({ kind: "name", name });
    else steps.push({ kind: "every" });
  }
  if (steps.length === 0) return "must name a part: $ alone is everything";
  if (steps.length > stepsMax) return `must have at most ${stepsMax} steps`;
  return steps;
}

/** Where the steps lead in a JSON value, in the order of its parts; nowhere is no fault. */
export function placesOf(root: unknown, steps: readonly JsonStep[]): JsonPlace[] {
  let places: JsonPlace[] = [{ parent: [root], key: 0, way: [] }];
  for (const one of steps) places = places.flatMap((place) => follow(valueAt(place), place.way, one));
  return places;
}

export function valueAt({ parent, key }: JsonPlace): unknown {
  return (parent as Record<string | number, unknown>)[key];
}

function follow(value: unknown, way: JsonPlace["way"], one: JsonStep): JsonPlace[] {
  if (typeof value !== "object" || value === null) return [];
  const parent = value as JsonPlace["parent"];
  const place = (key: string | number): JsonPlace => ({ parent, key, way: [...way, key] });
  const keys: (string | number)[] = Array.isArray(parent) ? [...parent.keys()] : Object.keys(parent);
  switch (one.kind) {
    case "name":
      return !Array.isArray(parent) && Object.hasOwn(parent, one.name) ? [place(one.name)] : [];
    case "index":
      return Array.isArray(parent) && one.index < parent.length ? [place(one.index)] : [];
    case "every":
      return keys.map(place);
    case "descend":
      return keys.flatMap((key) => {
        const deeper = follow(valueAt(place(key)), [...way, key], one);
        return key === one.name ? [place(key), ...deeper] : deeper;
      });
  }
}
