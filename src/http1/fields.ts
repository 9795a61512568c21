const tokenName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** All that RFC 9110 forbids in a value, CR and LF among it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
export const controls = /[\0-\x08\x0a-\x1f\x7f]/;
const contentLengthForm = /^\d{1,15}$/;

/** The other side does not speak HTTP/1.1 as RFC 9112 has it. What cannot be framed beyond doubt is not passed on. */
export class MalformedMessage extends Error {}

/** The headers of one head, and what of them frames its message or speaks of its connection. */
export interface Fields {
  /** Names and values in turn, in the sender's order and case; one character for each byte. */
  readonly raw: string[];
  contentLength: number | null;
  /** In lower case. */
  transferEncoding: string | null;
  /** Whether `Connection` says so. */
  close: boolean;
  keepAlive: boolean;
  /** For how many milliseconds an idle connection is kept, as `Keep-Alive` says. */
  keepAliveMs: number | null;
  expectsContinue: boolean;
  hosts: number;
}

/**
 * Reads the fields of a head.
 * @param text latin1, without the empty line at its end
 * @param lineEnd where its first line ends; negative: it has no other
 * @param of whose head it is, for errors: `its answer`
 * @throws MalformedMessage
 */
export function readFields(text: string, lineEnd: number, of: string): Fields {
  const fields: Fields = {
    raw: [],
    contentLength: null,
    transferEncoding: null,
    close: false,
    keepAlive: false,
    keepAliveMs: null,
    expectsContinue: false,
    hosts: 0,
  };
  while (lineEnd >= 0) {
    const at = lineEnd + 2;
    lineEnd = text.indexOf("\r\n", at);
    const [name, value] = readField(lineEnd < 0 ? text.slice(at) : text.slice(at, lineEnd), of);
    fields.raw.push(name, value);
    takeField(fields, name, value, of);
  }
  // Both: a smuggler's means.
  if (fields.contentLength !== null && fields.transferEncoding !== null)
    throw new MalformedMessage(`${of} has Content-Length and Transfer-Encoding`);
  return fields;
}

/** Only names of these lengths can matter here, and comparing them is cheaper than lower-casing every name. */
function takeField(fields: Fields, name: string, value: string, of: string): void {
  switch (name.length) {
    case 4:
      if (name.toLowerCase() === "host") fields.hosts += 1;
      break;
    case 6:
      if (name.toLowerCase() === "expect" && /(?:^|\W)100-continue(?:$|\W)/i.test(value))
        fields.expectsContinue = true;
      break;
    case 10: {
      const lower = name.toLowerCase();
      if (lower === "connection") {
        fields.close ||= /(?:^|[,\s])close(?:$|[,\s])/i.test(value);
        fields.keepAlive ||= /(?:^|[,\s])keep-alive(?:$|[,\s])/i.test(value);
      } else if (lower === "keep-alive") {
        fields.keepAliveMs = readKeepAlive(value) ?? fields.keepAliveMs;
      }
      break;
    }
    case 14:
      if (name.toLowerCase() !== "content-length") break;
      if (fields.contentLength !== null) throw new MalformedMessage(`${of} has two Content-Lengths`);
      if (!contentLengthForm.test(value))
        throw new MalformedMessage(`the Content-Length of ${of} is no number`);
      fields.contentLength = Number(value);
      break;
    case 17:
      if (name.toLowerCase() !== "transfer-encoding") break;
      if (fields.transferEncoding !== null) throw new MalformedMessage(`${of} has two Transfer-Encodings`);
      fields.transferEncoding = value.toLowerCase();
      break;
  }
}

/**
 * Reads `Name: value`.
 * @throws MalformedMessage
 */
export function readField(line: string, of: string): [name: string, value: string] {
  const colonAt = line.indexOf(":");
  const name = line.slice(0, Math.max(0, colonAt));
  // A line that goes on where another ended begins with a blank, which is in no name.
  if (!tokenName.test(name)) throw new MalformedMessage(`a header of ${of} has no proper name`);
  let from = colonAt + 1;
  let to = line.length;
  while (from < to && isBlank(line.charCodeAt(from))) from += 1;
  while (to > from && isBlank(line.charCodeAt(to - 1))) to -= 1;
  const value = line.slice(from, to);
  if (controls.test(value)) throw new MalformedMessage(`a header of ${of} holds a control character`);
  return [name, value];
}

/** @param pairs names and values in turn */
export function linesOf(pairs: readonly string[]): string {
  let lines = "";
  for (let index = 0; index + 1 < pairs.length; index += 2)
    lines += `${pairs[index]}: ${pairs[index + 1]}\r\n`;
  return lines;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function readKeepAlive(value: string): number | null {
  const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(value)?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
}
