import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { epochFiles } from "../capture/epoch.js";
import { soundRecordSize } from "../capture/record.js";
import { parseSpoolFileName } from "../capture/spool-file.js";

/** A spool file of a deployment, as it lies on disk. */
export interface SpooledFile {
  /** Of the gateway whose file it is; null: its folder does not say. */
  epoch: string | null;
  segmentId: string;
  captures: number;
}

/** Counts the sound records of every spool file under a folder. A file that is shipped and gone meanwhile is left out. */
export async function spooledFiles(dataDir: string, deploymentId: number): Promise<SpooledFile[]> {
  const found = await readdir(dataDir, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    },
  );
  const files: SpooledFile[] = [];
  for (const entry of found) {
    const parsed = parseSpoolFileName(entry.name);
    if (parsed === null || parsed.deploymentId !== deploymentId) continue;
    const path = join(dataDir, relative(dataDir, entry.parentPath), entry.name);
    const data = await readFile(path).catch(() => null);
    if (data === null) continue;
    files.push({ epoch: epochOf(entry.parentPath), segmentId: parsed.segmentId, captures: recordsIn(data) });
  }
  return files;
}

function recordsIn(data: Buffer): number {
  let records = 0;
  let at = 0;
  for (let size = soundRecordSize(data, at); size > 0; size = soundRecordSize(data, at)) {
    records += 1;
    at += size;
  }
  return records;
}

function epochOf(folder: string): string | null {
  const path = join(folder, epochFiles.identity);
  if (!existsSync(path)) return null;
  return (JSON.parse(readFileSync(path, "utf8")) as { epoch: string }).epoch;
}
