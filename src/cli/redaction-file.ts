import { messageOf, UnderstudyError } from "../errors.js";
import { readFileWithin } from "../offline/read-file.js";
import { parseRedaction, type Redaction } from "../redaction/settings.js";

/** More than a hundred rules need. */
const bytesMax = 1024 ** 2;

/**
 * Reads a redaction from a file, before anyone is asked.
 * @throws UnderstudyError `usage` when it cannot be read, `invalid_request` when it is none, with the place of each fault
 */
export async function readRedactionFile(path: string): Promise<Redaction> {
  let json: unknown;
  try {
    json = JSON.parse((await readFileWithin(path, bytesMax)).toString("utf8"));
  } catch (error) {
    throw new UnderstudyError("usage", `${path} cannot be read as a redaction: ${messageOf(error)}`, {
      hint: "Name a file that exists and holds rules as JSON; docs/redaction.md says how they are written.",
    });
  }
  return parseRedaction(json);
}
