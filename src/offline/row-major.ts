/** A copy of column-major (Fortran order) data in row-major order. `data` has exactly the shape's elements. */
export function rowMajor(data: Uint8Array, shape: readonly number[], itemBytes: number): Buffer {
  const ordered = Buffer.allocUnsafe(data.length);
  let size = itemBytes;
  const strides = shape.map((dimension) => {
    const stride = size;
    size *= dimension;
    return stride;
  });
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < ordered.length; to += itemBytes) {
    for (let byte = 0; byte < itemBytes; byte++) ordered[to + byte] = data[from + byte]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      index[axis]!++;
      if (index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return ordered;
}
