import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { messageOf, UnderstudyError } from "../errors.js";

/** Protobuf, and so ONNX, ends here. */
const modelBytesMax = 2 ** 31 - 1;

/**
 * Finds a model's file: `path` is absolute, or relative to the models folder. Symbolic links are followed before the
 * place is judged, so neither `..` nor a link leads out of the folder.
 *
 * @returns the real path
 * @throws UnderstudyError `model_invalid` when it is not there, not a file, too large, or outside
 */
export async function findModelFile(modelsDir: string, path: string): Promise<string> {
  const hint = `Paths of models are relative to the models folder, ${modelsDir}; UNDERSTUDY_MODELS_DIR names another.`;
  const refuse = (reason: string) =>
    new UnderstudyError("model_invalid", `The model ${path} ${reason}.`, { hint });
  let folder: string;
  let file: string;
  try {
    folder = await realpath(modelsDir);
    file = await realpath(resolve(folder, path));
  } catch (error) {
    throw refuse(`cannot be found (${messageOf(error)})`);
  }
  const inside = relative(folder, file);
  if (inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
    throw refuse("lies outside the models folder");
  }
  const found = await stat(file);
  if (!found.isFile()) throw refuse("is not a file");
  if (found.size > modelBytesMax) throw refuse(`has ${found.size} bytes, more than an ONNX file can have`);
  return file;
}

/** SHA-256 of a file's bytes, in hexadecimal. */
export async function hashOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
