import { UnderstudyError } from "../errors.js";

const part = /^[a-z0-9][a-z0-9._-]{0,127}$/;
const partsMax = 8;

/**
 * Checks that a key is one of ours by its form: lower-case words joined by slashes, none of which begins with a
 * dot, so that no key leads out of its store (`../`, `%2e`, an absolute path, NUL).
 * @throws UnderstudyError `invalid_request`
 */
export function checkKey(key: string): void {
  const parts = key.split("/");
  if (parts.length <= partsMax && parts.every((word) => part.test(word))) return;
  throw new UnderstudyError("invalid_request", "A blob's key has a form that we never write", {
    details: { key: key.slice(0, 200) },
  });
}
