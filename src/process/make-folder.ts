import { constants } from "node:fs";
import { access, mkdir, realpath } from "node:fs/promises";
import { messageOf, UnderstudyError } from "../errors.js";

/**
 * Makes the data folder, unless it is there, and returns its path without links.
 * @throws UnderstudyError `config_invalid` when it cannot be made or written to
 */
export async function makeDataFolder(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return await realpath(path);
  } catch (error) {
    throw new UnderstudyError(
      "config_invalid",
      `The data folder ${path} cannot be used: ${messageOf(error)}`,
      {
        hint: "Set UNDERSTUDY_DATA_DIR to a folder that belongs to you.",
        cause: error,
      },
    );
  }
}
