/** A piece of a text: from its first character to the one after its last. */
export interface Span {
  from: number;
  to: number;
}

/**
 * Where the value of a member stands in the text of a JSON object, so that it can be replaced and nothing else be
 * written anew: numbers keep their digits. null: there is none.
 *
 * @param text sound JSON; of what is not, some span or null
 * @param from where the object begins
 */
export function memberSpan(text: string, from: number, name: string): Span | null {
  let at = skipSpace(text, from);
  if (text[at] !== "{") return null;
  do {
    const keyAt = skipSpace(text, at + 1);
    if (text[keyAt] !== '"') return null;
    const keyEnd = endOfString(text, keyAt);
    const valueAt = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const valueEnd = endOfValue(text, valueAt);
    if (JSON.parse(text.slice(keyAt, keyEnd)) === name) return { from: valueAt, to: valueEnd };
    at = skipSpace(text, valueEnd);
  } while (text[at] === ",");
  return null;
}

const space = /[ \t\r\n]*/y;
const scalar = /[^,\]}\s]*/y;
const stringRest = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"?/y;
const untilBracket = /[^"[\]{}]*/y;

function endOf(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  pattern.test(text);
  return Math.max(from, pattern.lastIndex);
}

function skipSpace(text: string, from: number): number {
  return endOf(space, text, from);
}

function endOfString(text: string, from: number): number {
  return endOf(stringRest, text, from);
}

function endOfValue(text: string, from: number): number {
  if (text[from] === '"') return endOfString(text, from);
  if (text[from] !== "{" && text[from] !== "[") return endOf(scalar, text, from);
  let depth = 0;
  for (let at = from; at < text.length; at = endOf(untilBracket, text, at)) {
    switch (text[at]) {
      case '"':
        at = endOfString(text, at);
        continue;
      case "{":
      case "[":
        depth += 1;
        break;
      default:
        depth -= 1;
    }
    at += 1;
    if (depth === 0) return at;
  }
  return text.length;
}
