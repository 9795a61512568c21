const largeBytes = 4 * 1024;

/**
 * Copies bytes to `at`. Into shared memory V8 copies word by word: what is large is copied up to three times as fast by a
 * call of Node's.
 * @returns where they end
 */
export function copyBytes(bytes: Uint8Array, to: Buffer, at: number): number {
  const end = at + bytes.length;
  if (bytes.length < largeBytes) to.set(bytes, at);
  else to.fill(bytes, at, end);
  return end;
}
