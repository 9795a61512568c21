import { z } from "zod";
import { UnderstudyError } from "../errors.js";

/** Where a page ended, as an opaque word for the client. */
export function encodeCursor(position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

/** @throws UnderstudyError `invalid_request` for what {@link encodeCursor} did not write for this list */
export function decodeCursor<T>(cursor: string, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(parseJson(Buffer.from(cursor, "base64url").toString()));
  if (parsed.success) return parsed.data;
  throw new UnderstudyError("invalid_request", "The cursor is not one that this list gave", {
    hint: "Pass nextCursor of the page before, with the same filters and sort, or start again without a cursor.",
    details: { faults: [{ path: "cursor", message: "must be nextCursor of the page before" }] },
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const pageMax = 500;

/** A page of a list that is short enough to be read whole, in the order of its unique keys. */
export function pageOfAll<Item, Key extends string | number>(
  items: readonly Item[],
  keyOf: (item: Item) => Key,
  query: { limit?: number | undefined; cursor?: string | undefined },
): { items: Item[]; nextCursor: string | null } {
  const { limit = pageMax, cursor } = query;
  const key = z.union([z.string(), z.number()]);
  const after = cursor === undefined ? null : decodeCursor(cursor, z.tuple([key]))[0];
  const rest = items
    .filter((item) => after === null || keyOf(item) > after)
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  const more = rest.length > page.length && last !== undefined;
  return { items: page, nextCursor: more ? encodeCursor([keyOf(last)]) : null };
}
