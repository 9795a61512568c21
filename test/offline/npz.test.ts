import { expect, test } from "vitest";
import { FormatError } from "../../src/offline/format-error.js";
import { readNpz } from "../../src/offline/npz.js";
import { floats, npy, smallLimits, zip } from "./files.js";

const one = npy("<f4", [1], floats(1));
const member = { name: "one.npy", data: one };

test.each([
  [
    "stored and deflated members",
    zip([member, { name: "größe.npy", data: one, deflated: true }]),
    ["one", "größe"],
  ],
  ["a member in a folder", zip([{ ...member, name: "layers/0.npy" }]), ["layers/0"]],
  ["a name of one dot more", zip([{ ...member, name: "a.npy.npy" }]), ["a.npy"]],
  ["no members", zip([]), []],
  ["a comment", withComment(zip([member]), "a comment"), ["one"]],
])("%s", (_, file, names) => {
  const tensors = readNpz(file, smallLimits);
  expect(tensors.map(({ name }) => name)).toEqual(names);
  for (const { datatype, shape, data } of tensors) {
    expect({ datatype, shape, data: Buffer.from(data) }).toEqual({
      datatype: "FP32",
      shape: [1],
      data: floats(1),
    });
  }
});

function withComment(file: Buffer, comment: string): Buffer {
  const commented = Buffer.concat([file, Buffer.from(comment)]);
  commented.writeUInt16LE(comment.length, file.length - 2);
  return commented;
}

/** A zip file with one field of its end record, in its last 22 bytes, overwritten. */
function withEnd(at: number, value: number, bytes: 2 | 4): Buffer {
  const file = zip([member]);
  file.writeUIntLE(value, file.length - 22 + at, bytes);
  return file;
}

const zeros = npy("<f4", [900], Buffer.alloc(3600));

test.each<[what: string, file: Buffer, message: RegExp]>([
  ["no .npy inside", zip([{ name: "readme.txt", data: one }]), /member "readme.txt": is not named NAME.npy/],
  ["a member without a name", zip([{ name: ".npy", data: one }]), /member ".npy": is not named/],
  [
    "an array that cannot be read",
    zip([{ name: "x.npy", data: npy("|O", [0], floats()) }]),
    /member "x.npy": .*pickled/,
  ],
  ["two of a name", zip([member, member]), /two of this name/],
  ["a wrong checksum", zip([{ ...member, lies: { checksum: 1 } }]), /its checksum is wrong/],
  ["an encrypted member", zip([{ ...member, lies: { flags: 1 } }]), /encrypted/],
  [
    "another compression",
    zip([{ ...member, lies: { method: 93 } }]),
    /method 93; stored \(0\) and deflated \(8\)/,
  ],
  ["more bytes than claimed, stored", zip([{ ...member, lies: { bytes: 1 } }]), /must have 1 bytes, found/],
  [
    "more bytes than claimed",
    zip([{ name: "z.npy", data: zeros, deflated: true, lies: { bytes: 1 } }]),
    /cannot be inflated/,
  ],
  [
    "more bytes than claimed, none",
    zip([{ name: "z.npy", data: zeros, deflated: true, lies: { bytes: 0 } }]),
    /cannot be inflated/,
  ],
  [
    "fewer bytes than claimed",
    zip([{ name: "z.npy", data: one, deflated: true, lies: { bytes: 4000 } }]),
    /must have 4000 bytes/,
  ],
  ["a member beyond its end", zip([{ ...member, lies: { localAt: 5000 } }]), /reaches beyond its end/],
  ["a member that is the directory", zip([{ ...member, lies: { localAt: 1 } }]), /a record is missing/],
  ["packed bytes beyond the file", zip([{ ...member, lies: { packedBytes: 4_294_967_295 } }]), /overlap/],
  [
    "members that overlap",
    zip([member, { ...member, name: "two.npy", lies: { localAt: 0, packedBytes: 150 } }]),
    /overlap/,
  ],
  [
    "a bomb",
    zip([{ name: "z.npy", data: Buffer.alloc(100_000), deflated: true }]),
    /holds 100000 bytes once inflated; 4096 at most/,
  ],
  [
    "small members, a large sum",
    zip(["a", "b"].map((name) => ({ name: `${name}.npy`, data: zeros, deflated: true }))),
    /bytes once inflated/,
  ],
  ["ZIP64 by its count", withEnd(10, 0xffff, 2), /ZIP64/],
  ["ZIP64 by its offset", withEnd(16, 0xffffffff, 4), /ZIP64/],
  ["a directory elsewhere", withEnd(16, 3, 4), /directory is not where it should be/],
  ["more members than there are", withEnd(10, 2, 2), /directory: is damaged/],
  ["a file that is cut", zip([member]).subarray(0, -1), /does not end as one/],
  ["nothing but its first bytes", Buffer.from("PK\x03\x04"), /does not end as one/],
])("refused: %s", (_, file, message) => {
  expect(() => readNpz(file, smallLimits)).toThrow(FormatError);
  expect(() => readNpz(file, smallLimits)).toThrow(message);
});
