import { closeSync, fsyncSync, openSync } from "node:fs";

/** Brings a folder's names onto the disk: until then a power cut may undo a file that was made there, or a rename. */
export function syncFolder(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
