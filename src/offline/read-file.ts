import { open, stat } from "node:fs/promises";
import { FormatError } from "./format-error.js";

/** As much as one call to the operating system reads. */
const readBytesMax = 1024 ** 3;

/** Reads a whole file of at most `bytesMax` bytes. Throws FormatError, or what the operating system says. */
export async function readFileWithin(path: string, bytesMax: number): Promise<Buffer> {
  const { size } = await statOfFile(path);
  if (size > bytesMax) throw new FormatError(`has ${size} bytes; files of up to ${bytesMax} are read`);
  const bytes = Buffer.allocUnsafeSlow(size);
  const handle = await open(path);
  try {
    for (let at = 0; at < size; ) {
      const { bytesRead } = await handle.read(bytes, at, Math.min(size - at, readBytesMax), at);
      if (bytesRead === 0) throw new FormatError("became shorter while it was read");
      at += bytesRead;
    }
  } finally {
    await handle.close();
  }
  return bytes;
}

/** Asked before opening: to open a pipe is to wait for whoever writes to it. */
async function statOfFile(path: string): Promise<{ size: number }> {
  const found = await stat(path);
  if (!found.isFile()) throw new FormatError("is not a regular file");
  return found;
}
