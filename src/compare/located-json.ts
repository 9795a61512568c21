/** Called with the place of a fault, in UTF-16 units from the text's beginning, and what was expected there. */
export type Refuse = (offset: number, message: string) => never;

/** A JSON document that knows where its parts stand. */
export interface LocatedJson {
  value: unknown;
  /** Where the value at a path begins; of a path that is not there, the nearest part around it. */
  offsetOf(path: readonly PropertyKey[]): number;
  /** Where the last key of a path begins, likewise. */
  keyOffsetOf(path: readonly PropertyKey[]): number;
}

interface Reader {
  readonly text: string;
  at: number;
  readonly values: Map<string, number>;
  readonly keys: Map<string, number>;
  readonly refuse: Refuse;
}

/** Deeper than any policy; bounds the recursion. */
const depthMax = 32;
const stringForm = /"[^"\\\n\r]*(?:\\.[^"\\\n\r]*)*"/y;
const numberForm = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const literals = { true: true, false: false, null: null } as const;

/**
 * Parses JSON that people write by hand, and remembers where each part stands. Strict, as RFC 8259 is; a key that
 * stands twice is refused too, since one of the two would be passed over. For documents of a megabyte at most.
 */
export function parseLocatedJson(text: string, refuse: Refuse): LocatedJson {
  // A byte order mark is no part of the document, but editors write it.
  const start = text.startsWith("\ufeff") ? 1 : 0;
  const reader: Reader = { text, at: start, values: new Map(), keys: new Map(), refuse };
  const value = readValue(reader, []);
  skipSpace(reader);
  if (reader.at < text.length) expected(reader, "the end");
  return {
    value,
    offsetOf: (path) => nearest(reader.values, path),
    keyOffsetOf: (path) => reader.keys.get(nameOf(path)) ?? nearest(reader.values, path),
  };
}

function nearest(places: ReadonlyMap<string, number>, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const place = places.get(nameOf(path.slice(0, length)));
    if (place !== undefined) return place;
  }
  return places.get(nameOf([])) ?? 0;
}

function nameOf(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String));
}

function readValue(reader: Reader, path: readonly PropertyKey[]): unknown {
  skipSpace(reader);
  reader.values.set(nameOf(path), reader.at);
  const first = reader.text[reader.at];
  if ((first === "{" || first === "[") && path.length === depthMax) {
    reader.refuse(reader.at, `nests deeper than ${depthMax} levels`);
  }
  if (first === "{") return readObject(reader, path);
  if (first === "[") return readArray(reader, path);
  if (first === '"') return readString(reader);
  const number = match(reader, numberForm);
  if (number !== null) return Number(number);
  for (const [word, value] of Object.entries(literals)) {
    if (!reader.text.startsWith(word, reader.at)) continue;
    reader.at += word.length;
    return value;
  }
  return expected(reader, "a value");
}

function readObject(reader: Reader, path: readonly PropertyKey[]): Record<string, unknown> {
  const members = new Map<string, unknown>();
  reader.at++;
  if (take(reader, "}")) return {};
  do {
    skipSpace(reader);
    const place = reader.at;
    if (reader.text[place] !== '"') expected(reader, "a key in quotes");
    const key = readString(reader);
    if (members.has(key)) reader.refuse(place, `the key ${JSON.stringify(key)} stands here a second time`);
    // Policies have no such member, and in an object it would be none: it would be the prototype.
    if (key === "__proto__") reader.refuse(place, `the key "__proto__" is not allowed`);
    reader.keys.set(nameOf([...path, key]), place);
    if (!take(reader, ":")) expected(reader, '":"');
    members.set(key, readValue(reader, [...path, key]));
  } while (take(reader, ","));
  if (!take(reader, "}")) expected(reader, '"," or "}"');
  return Object.fromEntries(members);
}

function readArray(reader: Reader, path: readonly PropertyKey[]): unknown[] {
  const items: unknown[] = [];
  reader.at++;
  if (take(reader, "]")) return items;
  do {
    items.push(readValue(reader, [...path, items.length]));
  } while (take(reader, ","));
  if (!take(reader, "]")) expected(reader, '"," or "]"');
  return items;
}

function readString(reader: Reader): string {
  const start = reader.at;
  const literal = match(reader, stringForm);
  if (literal === null) return reader.refuse(start, "expected a string that ends on its line");
  try {
    return JSON.parse(literal) as string;
  } catch {
    return reader.refuse(start, "expected a string without control characters or unknown escapes");
  }
}

function match(reader: Reader, form: RegExp): string | null {
  form.lastIndex = reader.at;
  const found = form.exec(reader.text)?.[0] ?? null;
  reader.at += found?.length ?? 0;
  return found;
}

function take(reader: Reader, sign: string): boolean {
  skipSpace(reader);
  if (reader.text[reader.at] !== sign) return false;
  reader.at++;
  return true;
}

function skipSpace(reader: Reader): void {
  while (" \t\r\n".includes(reader.text[reader.at] ?? "x")) reader.at++;
}

function expected(reader: Reader, what: string): never {
  const { text, at, refuse } = reader;
  const found = at < text.length ? JSON.stringify(String.fromCodePoint(text.codePointAt(at)!)) : "the end";
  return refuse(at, `expected ${what}, found ${found}`);
}
