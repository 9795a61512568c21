import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { decodeContent } from "../../src/protocol/content.js";
import { ProtocolError } from "../../src/protocol/error.js";

const plain = Buffer.from("a model's answer, ".repeat(20));

test.each([
  [undefined, plain],
  ["", plain],
  ["identity", plain],
  ["gzip", gzipSync(plain)],
  ["x-gzip", gzipSync(plain)],
  [" GZIP ", gzipSync(plain)],
  ["deflate", deflateSync(plain)],
  ["deflate", deflateRawSync(plain)],
])("%j is removed", (coding, body) => {
  expect(Buffer.from(decodeContent(body, coding, plain.length)).equals(plain)).toBe(true);
});

test.each([
  ["br", plain, /found "br"/],
  ["gzip, gzip", gzipSync(gzipSync(plain)), /found "gzip, gzip"/],
  ["gzip", plain, /not gzip/],
  ["gzip", gzipSync(plain).subarray(0, 30), /not gzip/],
  ["gzip", Buffer.alloc(0), /not gzip/],
  ["deflate", Buffer.from([0xff, 0xff]), /not deflate/],
  ["deflate", Buffer.alloc(0), /not deflate/],
])("%j of something else is refused", (coding, body, message) => {
  expect(() => decodeContent(body, coding, 1000)).toThrow(ProtocolError);
  expect(() => decodeContent(body, coding, 1000)).toThrow(message);
});

test.each([
  [undefined, Buffer.alloc(1001)],
  ["gzip", gzipSync(Buffer.alloc(100_000_000))],
  ["deflate", deflateSync(Buffer.alloc(100_000_000))],
])("%s: no more than the cap", (coding, body) => {
  const before = process.memoryUsage().arrayBuffers;
  expect(() => decodeContent(body, coding, 1000)).toThrow("larger than 1000 bytes");
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
});
