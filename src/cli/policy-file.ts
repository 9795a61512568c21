import type { Policy } from "../compare/policy.js";
import { parsePolicyText } from "../compare/policy-text.js";
import { messageOf, UnderstudyError } from "../errors.js";
import { readFileWithin } from "../offline/read-file.js";

/** More than any policy's text: `parsePolicyText` counts characters, of up to four bytes each. */
const bytesMax = 4 * 1024 ** 2;

/**
 * Reads a file with a policy; defaults are filled in.
 * @throws UnderstudyError `usage` when the file cannot be read; `invalid_request` that names the file, and every fault
 *   in it by line and column
 */
export async function readPolicyFile(path: string): Promise<Policy> {
  const text = await textOf(path);
  try {
    return parsePolicyText(text);
  } catch (error) {
    if (!(error instanceof UnderstudyError)) throw error;
    const { code, message, hint, details } = error;
    throw new UnderstudyError(code, `${path}: ${message}`, {
      cause: error,
      ...(hint && { hint }),
      ...(details && { details }),
    });
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return (await readFileWithin(path, bytesMax)).toString("utf8");
  } catch (error) {
    throw new UnderstudyError("usage", `${path} cannot be read as a policy: ${messageOf(error)}`, {
      hint: "Name a file that exists and holds a policy as JSON; docs/policy.md says how one is written.",
    });
  }
}
