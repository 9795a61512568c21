import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MalformedMessage } from "../../src/http1/fields.js";
import { ResponseParser } from "../../src/http1/response-parser.js";

interface Read {
  status: number;
  statusText: string;
  headers: string[];
  interim: number[];
  body: string;
  rawTrailers: string[];
  keepAlive: boolean;
  surplus: boolean;
}

/** Reads one answer that arrives in these pieces, each in memory that is overwritten right after it was pushed. */
function read(pieces: readonly Buffer[], { method = "POST", end = false } = {}): Read | string {
  let answer: Read | null = null;
  let ended = false;
  const interim: number[] = [];
  const parser = new ResponseParser(
    {
      onInterim({ status }) {
        if (answer !== null) throw new Error("an interim answer behind the answer");
        interim.push(status);
      },
      onHead({ status, statusText, passed, keepAlive }) {
        if (answer !== null) throw new Error("a second head");
        answer = {
          status,
          statusText,
          headers: [...passed.headers],
          interim,
          body: "",
          rawTrailers: [],
          keepAlive,
          surplus: false,
        };
      },
      onBody(part) {
        if (ended || part.length === 0) throw new Error("a part that is none");
        answer!.body += part.toString("latin1");
      },
      onEnd(rawTrailers, surplus) {
        if (ended) throw new Error("a second end");
        ended = true;
        Object.assign(answer!, { rawTrailers, surplus });
      },
    },
    1_000,
  );
  parser.expect(method);
  const memory = Buffer.alloc(100_000);
  try {
    for (const piece of pieces) {
      if (ended) break;
      piece.copy(memory);
      parser.push(memory.subarray(0, piece.length));
      memory.fill("!", 0, piece.length);
    }
    if (end && !parser.finish()) return "cut off";
  } catch (error) {
    if (error instanceof MalformedMessage) return "malformed";
    throw error;
  }
  return ended ? answer! : "unfinished";
}

const bytes = (text: string) => Buffer.from(text, "latin1");
const bytewise = (text: string) => [...bytes(text)].map((byte) => Buffer.from([byte]));

const sound: [string, string, Partial<Read>, { method?: string; end?: boolean }?][] = [
  ["a length", "HTTP/1.1 200 OK\r\nA:1\r\nContent-Length: 3\r\n\r\nabc", { body: "abc", keepAlive: true }],
  ["a length of nothing", "HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", { body: "", keepAlive: true }],
  ["no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", { statusText: "" }],
  ["an empty reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", { statusText: "" }],
  [
    "bytes beyond ASCII",
    "HTTP/1.1 200 Gr\u00fcn\r\nX: \u00e9\r\nContent-Length: 1\r\n\r\n\u00ff",
    { body: "\u00ff" },
  ],
  ["blanks around values", "HTTP/1.1 200 OK\r\nX: \t a b \t\r\nContent-Length: 0\r\n\r\n", {}],
  ["204 has no body", "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", { status: 204, body: "" }],
  ["304 has no body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", { status: 304, body: "" }],
  ["HEAD has no body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", { body: "" }, { method: "HEAD" }],
  [
    "interim answers",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz",
    { status: 200, body: "z", interim: [100, 103] },
  ],
  [
    "chunks",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\n\r\n",
    { body: "abc0123456789", keepAlive: true },
  ],
  [
    "chunks that look like chunks",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n",
    { body: "0\r\n\r\n" },
  ],
  [
    "trailers",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 4\r\nY:\r\n\r\n",
    { body: "a", rawTrailers: ["X-Sum", "4", "Y", ""] },
  ],
  [
    "an end of the connection",
    "HTTP/1.1 200 OK\r\n\r\nuntil the end",
    { body: "until the end", keepAlive: false },
    { end: true },
  ],
  ["a close", "HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 0\r\n\r\n", { keepAlive: false }],
  ["HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", { body: "a", keepAlive: false }],
];

describe("what is sound is read, wherever it is cut", () => {
  test.each(sound)("%s", (_, text, expected, options = {}) => {
    const whole = read([bytes(text)], options);
    expect(whole).toMatchObject(expected);
    expect(read(bytewise(text), options)).toEqual(whole);
    for (let at = 1; at < text.length; at++) {
      expect(read([bytes(text.slice(0, at)), bytes(text.slice(at))], options)).toEqual(whole);
    }
  });

  test.each(sound.filter(([, , , options]) => !options?.end))(
    "%s: not sound when its end is missing",
    (_, text, __, options) => {
      for (let length = 1; length < text.length; length++) {
        expect(read([bytes(text.slice(0, length))], { ...options, end: true })).toBe("cut off");
      }
    },
  );

  test("headers keep their order and case, repeated ones too", () => {
    const text = "HTTP/1.1 200 OK\r\nX-B: 2\r\nx-a:1\r\nX-B: 3\r\nContent-Length: 0\r\n\r\n";
    expect(read([bytes(text)])).toMatchObject({
      headers: ["X-B", "2", "x-a", "1", "X-B", "3", "Content-Length", "0"],
    });
  });
});

const head = "HTTP/1.1 200 OK\r\n";
const malformed: [string, string][] = [
  ["no HTTP", "hello\r\n\r\n"],
  ["HTTP/2", "HTTP/2 200 OK\r\n\r\n"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
  ["a status of 099", "HTTP/1.1 099 OK\r\n\r\n"],
  ["101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
  [
    "interim answers without end",
    `${"HTTP/1.1 100 Continue\r\n\r\n".repeat(17)}${head}Content-Length: 0\r\n\r\n`,
  ],
  ["no colon", `${head}Content-Length\r\n\r\n`],
  ["a blank in a name", `${head}Content-Length : 1\r\n\r\na`],
  ["a folded line", `${head}X: a\r\n b\r\n\r\n`],
  ["a bare LF", `${head}X: a\nContent-Length: 0\r\n\r\n`],
  ["a bare CR", `${head}X: a\rb\r\n\r\n`],
  ["NUL", `${head}X: a\0b\r\n\r\n`],
  ["two lengths", `${head}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`],
  ["a list of lengths", `${head}Content-Length: 1, 1\r\n\r\na`],
  ["a negative length", `${head}Content-Length: -1\r\n\r\n`],
  ["a length with a sign", `${head}Content-Length: +1\r\n\r\na`],
  ["an empty length", `${head}Content-Length:\r\n\r\n`],
  ["a length beyond all numbers", `${head}Content-Length: ${"9".repeat(20)}\r\n\r\n`],
  ["length and chunks", `${head}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ["two codings", `${head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ["chunked twice", `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ["chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["a chunk without a size", `${head}Transfer-Encoding: chunked\r\n\r\n\r\nabc`],
  ["a size with 0x", `${head}Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n`],
  ["a size beyond all numbers", `${head}Transfer-Encoding: chunked\r\n\r\n${"f".repeat(13)}\r\n`],
  ["a chunk longer than its size", `${head}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n`],
  ["a size that ends with a bare LF", `${head}Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n`],
  ["a trailer without a colon", `${head}Transfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n`],
  ["a head without end", `${head}X: ${"a".repeat(2_000)}`],
  ["a chunk's extension without end", `${head}Transfer-Encoding: chunked\r\n\r\n1;${"a".repeat(2_000)}`],
  ["trailers without end", `${head}Transfer-Encoding: chunked\r\n\r\n0\r\n${"X: a\r\n".repeat(500)}`],
];

test.each(malformed)("not passed on, wherever it is cut: %s", (_, text) => {
  expect(read([bytes(text)])).toBe("malformed");
  expect(read(bytewise(text))).toBe("malformed");
  expect(read([bytes(text)], { end: true })).toBe("malformed");
});

test("bytes behind an answer are told, and are not the next answer", () => {
  const text = `${head}Content-Length: 1\r\n\r\na`;
  expect(read([bytes(`${text}${text}`)])).toMatchObject({ body: "a", surplus: true });
  const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
  expect(read([bytes(`${chunked}x`)])).toMatchObject({ surplus: true });
});

test("a head like the one before is read anew where a byte, or the method, differs", () => {
  const heard: unknown[] = [];
  const parser = new ResponseParser(
    {
      onInterim: () => {},
      onHead: ({ status, body, passed }) => heard.push([status, passed.contentLength, body, passed.headers]),
      onBody: (part) => heard.push(part.toString()),
      onEnd: () => {},
    },
    1_000,
  );
  const answer = (length: number, body: string) => bytes(`${head}Content-Length: ${length}\r\n\r\n${body}`);
  for (const [method, answered] of [
    ["POST", answer(1, "a")],
    ["POST", answer(1, "b")],
    ["POST", answer(2, "cc")],
    ["HEAD", answer(2, "")],
    ["POST", answer(2, "dd")],
  ] as const) {
    parser.expect(method);
    parser.push(answered);
  }
  const told = (length: number, body: string) => [200, length, body, ["Content-Length", String(length)]];
  expect(heard).toEqual([
    ...[told(1, "length"), "a", told(1, "length"), "b", told(2, "length"), "cc"],
    ...[told(2, "none"), told(2, "length"), "dd"],
  ]);
});

test("any body in any chunks, cut anywhere, comes out as it went in", () => {
  const parts = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 });
  fc.assert(
    fc.property(parts, fc.array(fc.nat(3_000), { maxLength: 12 }), fc.boolean(), (chunks, cuts, byLength) => {
      const body = Buffer.concat(chunks);
      const framed = byLength
        ? Buffer.concat([bytes(`${head}Content-Length: ${body.length}\r\n\r\n`), body])
        : Buffer.concat([
            bytes(`${head}Transfer-Encoding: chunked\r\n\r\n`),
            ...chunks.flatMap((chunk) => [bytes(`${chunk.length.toString(16)}\r\n`), chunk, bytes("\r\n")]),
            bytes("0\r\n\r\n"),
          ]);
      const bounds = [0, ...cuts.map((cut) => cut % framed.length).sort((a, b) => a - b), framed.length];
      const pieces = bounds.slice(1).map((to, index) => framed.subarray(bounds[index], to));
      expect(read(pieces.filter((piece) => piece.length > 0))).toMatchObject({
        body: body.toString("latin1"),
        surplus: false,
      });
    }),
  );
});

test("any bytes at all are read or refused, and never throw anything else", () => {
  const shreds = fc.constantFrom(
    "HTTP/1.1 200 OK\r\n",
    "Content-Length: 2",
    "\r\n",
    ":",
    "Transfer-Encoding: chunked\r\n",
    "0",
    "\r",
    "\n",
    " ",
    "a",
  );
  fc.assert(
    fc.property(fc.array(shreds, { maxLength: 12 }), (list) => {
      const text = `HTTP/1.1 200 OK\r\n${list.join("")}`;
      const whole = read([bytes(text)], { end: true });
      // Byte by byte, what is too much comes only after the end.
      const expected = typeof whole === "string" ? whole : { ...whole, surplus: false };
      expect(read(bytewise(text), { end: true })).toEqual(expected);
    }),
    { numRuns: 2_000 },
  );
});
