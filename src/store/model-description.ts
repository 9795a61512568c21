import { isDeepStrictEqual } from "node:util";
import { jsonInput } from "./sql.js";

/** What a model said of itself, and which of its versions that is about; null: the newest, whichever that is. */
interface Described {
  version: string | null;
  metadata: unknown;
}

/**
 * Whether a model still describes itself as it did when it was pinned. Not compared: whether it takes requests just
 * now and, where a version is pinned, which others there are beside it.
 */
export function isSameDescription({ version, metadata }: Described, given: unknown): boolean {
  const compared = (description: unknown) => {
    const { ready: _, versions, ...rest } = jsonInput(description ?? {}) as Record<string, unknown>;
    return version === null ? { ...rest, versions } : rest;
  };
  return isDeepStrictEqual(compared(metadata), compared(given));
}
