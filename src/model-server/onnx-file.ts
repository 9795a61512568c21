/** The part of ONNX's messages that can hold tensors or nodes: message → field number → message of that field. */
const messages = {
  model: { 7: "graph", 20: "training", 25: "function" },
  training: { 1: "graph", 2: "graph" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  function: { 7: "node", 11: "attribute" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  sparse: { 1: "tensor", 2: "tensor" },
  tensor: {},
} as const satisfies Record<string, Record<number, string>>;

type Message = keyof typeof messages;

/** Protobuf's own limit. */
const depthMax = 100;

/**
 * What in an ONNX file reaches outside of it, or null. Such a file is not what its SHA-256 says: tensors may lie in
 * other files (`external_data`, which onnxruntime also reads as an address in memory), compiled engines too (`EPContext`).
 *
 * @throws RangeError when the bytes are not protobuf
 */
export function reachesOutside(onnx: Uint8Array): string | null {
  return inspect("model", onnx, 0);
}

function inspect(message: Message, bytes: Uint8Array, depth: number): string | null {
  if (depth > depthMax) throw new RangeError("nested too deeply");
  const parts: Record<number, Message> = messages[message];
  for (const { field, value } of fieldsOf(bytes)) {
    if (message === "tensor" && (field === 13 || (field === 14 && value !== 0))) {
      return "tensors in other files (external data)";
    }
    if (typeof value === "number") continue;
    if (message === "node" && field === 4 && Buffer.from(value).toString("latin1") === "EPContext") {
      return "an engine compiled elsewhere (EPContext)";
    }
    const part = parts[field];
    const found = part === undefined ? null : inspect(part, value, depth + 1);
    if (found !== null) return found;
  }
  return null;
}

/** The fields of a protobuf message: varints as numbers, everything else as bytes. */
function* fieldsOf(bytes: Uint8Array): Generator<{ field: number; value: number | Uint8Array }> {
  let offset = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; scale < 2 ** 70; scale *= 128) {
      const byte = bytes[offset++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number is cut off");
  };
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - offset) throw new RangeError("a field is cut off");
    offset += length;
    return bytes.subarray(offset - length, offset);
  };
  while (offset < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        yield { field, value: varint() };
        break;
      case 1:
        yield { field, value: take(8) };
        break;
      case 2:
        yield { field, value: take(varint()) };
        break;
      case 5:
        yield { field, value: take(4) };
        break;
      default:
        throw new RangeError(`a field has wire type ${tag % 8}`);
    }
  }
}
