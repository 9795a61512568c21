import { FormatError } from "./format-error.js";

/**
 * The BYTES elements of an array of `S` (bytes) or `U` (text, UTF-32 little-endian in `data`, UTF-8 here). As in
 * NumPy, zeros at the end of an element are padding and no part of it. Throws FormatError for text that is not Unicode.
 *
 * @param count elements in `data`, of `itemBytes` each
 */
export function stringElements(
  kind: "bytes" | "text",
  data: Buffer,
  count: number,
  itemBytes: number,
): Uint8Array {
  // A character takes no more bytes in UTF-8 than the four that it takes in UTF-32.
  const elements = Buffer.allocUnsafe(count * (4 + itemBytes));
  let at = 0;
  for (let index = 0; index < count; index++) {
    const item = data.subarray(index * itemBytes, (index + 1) * itemBytes);
    const first = at + 4;
    at =
      kind === "bytes"
        ? first + item.copy(elements, first, 0, usedBytes(item))
        : putText(elements, first, item, index);
    elements.writeUInt32LE(at - first, first - 4);
  }
  return new Uint8Array(elements.buffer, elements.byteOffset, at);
}

/** Length of an element without the zeros at its end. */
function usedBytes(item: Uint8Array): number {
  let end = item.length;
  while (end > 0 && item[end - 1] === 0) end--;
  return end;
}

/** Writes an element of `U`, and returns where it ended. */
function putText(into: Buffer, start: number, item: Buffer, index: number): number {
  const end = usedBytes(item);
  let at = start;
  for (let from = 0; from < end; from += 4) {
    const point = item.readUInt32LE(from);
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
      throw new FormatError(`has text that is not Unicode: 0x${point.toString(16)} in element ${index}`);
    }
    if (point < 0x80) into[at++] = point;
    else at += into.write(String.fromCodePoint(point), at);
  }
  return at;
}
