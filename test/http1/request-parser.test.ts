import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MalformedMessage } from "../../src/http1/fields.js";
import { UnsupportedRequest } from "../../src/http1/request-head.js";
import { HeadTooLarge, RequestParser } from "../../src/http1/request-parser.js";

interface Read {
  method: string;
  target: string;
  headers: string[];
  isOld: boolean;
  keepAlive: boolean;
  expectsContinue: boolean;
  body: string;
  rawTrailers: string[];
}

/** Reads requests that arrive in these pieces, each in memory that is overwritten right after it was pushed. */
function read(pieces: readonly Buffer[]): Read[] | string {
  const requests: Read[] = [];
  let ended = true;
  const parser = new RequestParser(
    {
      onHead({ method, target, rawHeaders, isOld, keepAlive, expectsContinue }) {
        if (!ended) throw new Error("a head within a request");
        ended = false;
        const headers = [...rawHeaders];
        requests.push({
          ...{ method, target, headers, isOld, keepAlive, expectsContinue },
          body: "",
          rawTrailers: [],
        });
      },
      onBody(part) {
        if (ended || part.length === 0) throw new Error("a part that is none");
        requests.at(-1)!.body += part.toString("latin1");
      },
      onRequestEnd(rawTrailers) {
        if (ended) throw new Error("a second end");
        ended = true;
        requests.at(-1)!.rawTrailers = rawTrailers;
      },
    },
    1_000,
  );
  const memory = Buffer.alloc(100_000);
  try {
    for (let piece of pieces) {
      while (piece.length > 0) {
        piece.copy(memory);
        const end = parser.push(memory.subarray(0, piece.length));
        memory.fill("!", 0, piece.length);
        if (end < piece.length && !parser.ended) throw new Error("stopped within a request");
        piece = piece.subarray(end);
        if (parser.ended) parser.next();
      }
    }
  } catch (error) {
    if (error instanceof HeadTooLarge) return "too large";
    if (error instanceof UnsupportedRequest) return "unsupported";
    if (error instanceof MalformedMessage) return "malformed";
    throw error;
  }
  return ended && !parser.isInHead ? requests : "unfinished";
}

const bytes = (text: string) => Buffer.from(text, "latin1");
const bytewise = (text: string) => [...bytes(text)].map((byte) => Buffer.from([byte]));

const post = "POST /v2/x HTTP/1.1\r\nHost: h\r\n";
const sound: [string, string, Partial<Read>[]][] = [
  ["no body", "GET /v2 HTTP/1.1\r\nHost: h\r\n\r\n", [{ method: "GET", target: "/v2", keepAlive: true }]],
  ["a length", `${post}Content-Length: 3\r\n\r\nabc`, [{ method: "POST", body: "abc" }]],
  ["a length of nothing", `${post}content-length:0\r\n\r\n`, [{ body: "" }]],
  ["a POST without a body", `${post}\r\n`, [{ method: "POST", body: "" }]],
  [
    "requests one behind the other",
    `${post}Content-Length: 1\r\n\r\na${post}Transfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n${post}\r\n`,
    [{ body: "a" }, { body: "b" }, { body: "" }],
  ],
  ["line breaks before a head", `\r\n\r\n${post}\r\n`, [{ target: "/v2/x" }]],
  [
    "chunks with extensions",
    `${post}Transfer-Encoding: CHUNKED\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n`,
    [{ body: "abc" }],
  ],
  [
    "trailers",
    `${post}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 4\r\nY:\r\n\r\n`,
    [{ body: "a", rawTrailers: ["X-Sum", "4", "Y", ""] }],
  ],
  [
    "bytes beyond ASCII",
    "GET /caf\u00e9 HTTP/1.1\r\nHost: h\r\nX: \u00e9\r\n\r\n",
    [{ target: "/caf\u00e9", headers: ["Host", "h", "X", "\u00e9"] }],
  ],
  ["a close", `${post}Connection: x, Close\r\n\r\n`, [{ keepAlive: false }]],
  ["HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", [{ isOld: true, keepAlive: false }]],
  ["HTTP/1.0, kept", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", [{ isOld: true, keepAlive: true }]],
  ["Expect", `${post}Expect: 100-continue\r\nContent-Length: 1\r\n\r\na`, [{ expectsContinue: true }]],
  ["Expect, of HTTP/1.0", "GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", [{ expectsContinue: false }]],
  ["a method of its own", "M-SEARCH * HTTP/1.1\r\nHost: h\r\n\r\n", [{ method: "M-SEARCH", target: "*" }]],
];

describe("what is sound is read, wherever it is cut", () => {
  test.each(sound)("%s", (_, text, expected) => {
    const whole = read([bytes(text)]);
    expect(whole).toMatchObject(expected);
    expect(read(bytewise(text))).toEqual(whole);
    for (let at = 1; at < text.length; at++)
      expect(read([bytes(text.slice(0, at)), bytes(text.slice(at))])).toEqual(whole);
  });
});

const malformed: [string, string][] = [
  ["no HTTP", "hello\r\n\r\n"],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["HTTP/0.9", "GET /\r\n\r\n"],
  ["two blanks", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["a blank in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["a tab in the target", "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["NUL in the target", "GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["a blank behind the version", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"],
  ["a first line that is folded", "GET /\r\n HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["no Host", "GET / HTTP/1.1\r\n\r\n"],
  ["two Hosts", `${post}host: h\r\n\r\n`],
  ["no colon", `${post}Content-Length\r\n\r\n`],
  ["a blank in a name", `${post}Content-Length : 1\r\n\r\na`],
  ["a folded line", `${post}X: a\r\n b\r\n\r\n`],
  ["a bare LF", `${post}X: a\nContent-Length: 0\r\n\r\n`],
  ["a bare CR", `${post}X: a\rb\r\n\r\n`],
  ["NUL", `${post}X: a\0b\r\n\r\n`],
  ["two lengths, even equal", `${post}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`],
  ["a list of lengths", `${post}Content-Length: 1, 1\r\n\r\na`],
  ["a negative length", `${post}Content-Length: -1\r\n\r\n`],
  ["a length with a sign", `${post}Content-Length: +1\r\n\r\na`],
  ["an empty length", `${post}Content-Length:\r\n\r\n`],
  ["a length beyond all numbers", `${post}Content-Length: ${"9".repeat(20)}\r\n\r\n`],
  ["length and chunks", `${post}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ["chunks and length", `${post}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n`],
  ["chunked twice", `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ["chunks in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["a chunk without a size", `${post}Transfer-Encoding: chunked\r\n\r\n\r\nabc`],
  ["a size with 0x", `${post}Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n`],
  ["a chunk longer than its size", `${post}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n`],
  ["a size that ends with a bare LF", `${post}Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n`],
  ["trailers without end", `${post}Transfer-Encoding: chunked\r\n\r\n0\r\n${"X: a\r\n".repeat(500)}`],
];

test.each(malformed)("not passed on, wherever it is cut: %s", (_, text) => {
  expect(read([bytes(text)])).toBe("malformed");
  expect(read(bytewise(text))).toBe("malformed");
});

test.each(["gzip, chunked", "chunked, gzip", "identity", "x", ""])(
  "the coding '%s' is known for what it is not",
  (coding) => {
    expect(read([bytes(`${post}Transfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`)])).toBe("unsupported");
  },
);

test("a head without end is too large, and what begins no head is refused at once", () => {
  expect(read([bytes(`${post}X: ${"a".repeat(2_000)}`)])).toBe("too large");
  expect(read(bytewise(`${post}X: ${"a".repeat(2_000)}`))).toBe("too large");
  expect(read([bytes("\x16\x03\x01")])).toBe("malformed");
});

test("a head like the one before is read anew where a byte differs", () => {
  const one = (name: string, length: number) => `${post}X: ${name}\r\nContent-Length: ${length}\r\n\r\n`;
  const text = `${one("a", 1)}1${one("a", 1)}2${one("b", 1)}3${one("b", 2)}45`;
  expect(read([bytes(text)])).toMatchObject([
    { body: "1", headers: ["Host", "h", "X", "a", "Content-Length", "1"] },
    { body: "2", headers: ["Host", "h", "X", "a", "Content-Length", "1"] },
    { body: "3", headers: ["Host", "h", "X", "b", "Content-Length", "1"] },
    { body: "45", headers: ["Host", "h", "X", "b", "Content-Length", "2"] },
  ]);
});

test("any bodies in any chunks, cut anywhere, come out as they went in", () => {
  const body = fc.record({
    chunks: fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 6 }),
    byLength: fc.boolean(),
  });
  const cuts = fc.array(fc.nat(3_000), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(body, { minLength: 1, maxLength: 3 }), cuts, (bodies, at) => {
      const framed = Buffer.concat(
        bodies.flatMap(({ chunks, byLength }) => {
          const all = Buffer.concat(chunks);
          if (byLength) return [bytes(`${post}Content-Length: ${all.length}\r\n\r\n`), all];
          const framedChunks = chunks.flatMap((chunk) => [
            bytes(`${chunk.length.toString(16)}\r\n`),
            chunk,
            bytes("\r\n"),
          ]);
          return [bytes(`${post}Transfer-Encoding: chunked\r\n\r\n`), ...framedChunks, bytes("0\r\n\r\n")];
        }),
      );
      const bounds = [0, ...at.map((cut) => cut % framed.length).sort((a, b) => a - b), framed.length];
      const pieces = bounds.slice(1).map((to, index) => framed.subarray(bounds[index], to));
      expect(read(pieces)).toMatchObject(
        bodies.map(({ chunks }) => ({ body: Buffer.concat(chunks).toString("latin1") })),
      );
    }),
  );
});

test("any bytes at all are read or refused, the same in one piece as byte by byte", () => {
  const shreds = fc.constantFrom(
    ...["GET / HTTP/1.1\r\n", "Host: h\r\n", "Content-Length: 2\r\n", "Transfer-Encoding: chunked\r\n"],
    ...["\r\n", ":", "0", "\r", "\n", " ", "a"],
  );
  fc.assert(
    fc.property(fc.array(shreds, { maxLength: 14 }), (list) => {
      const text = `POST / HTTP/1.1\r\nHost: h\r\n${list.join("")}`;
      expect(read(bytewise(text))).toEqual(read([bytes(text)]));
    }),
    { numRuns: 2_000 },
  );
});
