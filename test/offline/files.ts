import { crc32, deflateRawSync } from "node:zlib";
import type { Limits } from "../../src/offline/limits.js";

/** Limits that tests can reach. */
export const smallLimits: Limits = {
  fileBytesMax: 4096,
  inflatedBytesMax: 4096,
  jsonBytesMax: 1024,
  textElementsMax: 100,
};

/** An .npy file with any header, right or wrong. */
export function npyWith(header: string, data: Uint8Array = new Uint8Array(0), version = [1, 0]): Buffer {
  const text = Buffer.from(header, "latin1");
  const length = Buffer.alloc(version[0] === 1 ? 2 : 4);
  length.writeUIntLE(text.length, 0, length.length);
  return Buffer.concat([Buffer.from("\x93NUMPY", "latin1"), Buffer.from(version), length, text, data]);
}

/** An .npy file as NumPy writes it. */
export function npy(
  descr: string,
  shape: readonly number[],
  data: Uint8Array,
  { fortranOrder = false, version = [1, 0] } = {},
): Buffer {
  const dimensions = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const order = fortranOrder ? "True" : "False";
  return npyWith(
    `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${dimensions}, }\n`,
    data,
    version,
  );
}

/** float32 values, little-endian. */
export function floats(...values: number[]): Buffer {
  return Buffer.from(Float32Array.from(values).buffer);
}

interface Member {
  name: string;
  data: Buffer;
  deflated?: boolean;
  /** What its directory entry is to say instead of the truth. */
  lies?: Partial<Record<"flags" | "method" | "checksum" | "packedBytes" | "bytes" | "localAt", number>>;
}

/** A zip file; its end record can be overwritten by a test, being the last 22 bytes. */
export function zip(members: readonly Member[]): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, data, deflated = false, lies } of members) {
    const packed = deflated ? deflateRawSync(data) : data;
    const says = {
      flags: 0,
      method: deflated ? 8 : 0,
      checksum: crc32(data),
      packedBytes: packed.length,
      bytes: data.length,
      localAt: at,
      ...lies,
    };
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(says.flags, 2);
    common.writeUInt16LE(says.method, 4);
    common.writeUInt32LE(says.checksum, 10);
    common.writeUInt32LE(says.packedBytes, 14);
    common.writeUInt32LE(says.bytes, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(says.localAt, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), common, tail, Buffer.from(name)]));
    locals.push(local);
    at += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, entries, end]);
}
