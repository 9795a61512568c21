import { type Call, callOf } from "../protocol/call.js";
import { decodeContent } from "../protocol/content.js";
import { isRecord } from "../protocol/fields.js";
import { headerLengthName, headerValue, parseHeaderLength } from "../protocol/headers.js";
import { parseJson } from "../protocol/json.js";
import { parseJsonPath } from "./json-path.js";
import type { KeyedHash } from "./keyed-hash.js";
import { type BodyRule, type RedactedBody, redactEvents, redactJson, redactV2 } from "./message.js";
import type { Redaction, RedactionAction } from "./settings.js";
import { keyOf, maskedText, redactedValue } from "./values.js";

/** One side of an exchange: names and values of its headers in turn, names in lower case, and its body as sent. */
export interface Side {
  headers: readonly string[];
  body: Uint8Array;
}

/** An exchange that may hold what must not be kept. */
export interface OpenExchange {
  /** Path and query. */
  path: string;
  status: number;
  request: Side;
  response: Side;
}

/** The same once redacted: bodies that a rule may concern are free of content coding, and the query is gone. */
export interface RedactedExchange {
  path: string;
  request: Side;
  response: Side;
  /** What was found and redacted: `input:NAME`, `output:NAME`, `parameter:NAME`, `json:PATH`, `header:NAME`, … */
  redacted: string[];
  /** Keyed hash of whose request it is; null when it does not say. */
  subject: string | null;
}

export interface Redactor {
  /**
   * Takes out what the rules name.
   * @throws whatever is wrong: then nothing of the exchange may be kept
   */
  exchange(open: OpenExchange): RedactedExchange;
  /** The same for an answer alone, of a candidate's model for instance. */
  response(open: Side & { call: Call; status: number }): Side;
}

/**
 * Compiles a deployment's redaction.
 * @param hash null: no key is set, and each rule that needs one fails
 * @param bytesMax most bytes of a body once its content coding is removed
 */
export function createRedactor(
  { rules, subject }: Redaction,
  { hash, bytesMax }: { hash: KeyedHash | null; bytesMax: number },
): Redactor {
  const headerRules = new Map<string, RedactionAction>();
  const requestRules: BodyRule[] = [];
  const responseRules: BodyRule[] = [];
  for (const { target, action } of rules) {
    if ("header" in target) headerRules.set(target.header, action);
    else if ("input" in target) requestRules.push({ kind: "tensor", name: target.input, action });
    else if ("output" in target) responseRules.push({ kind: "tensor", name: target.output, action });
    else {
      const rule: BodyRule =
        "parameter" in target
          ? { kind: "parameter", name: target.parameter, action }
          : { kind: "json", path: target.json, steps: stepsOf(target.json), action };
      requestRules.push(rule);
      responseRules.push(rule);
    }
  }
  const subjectHeader = subject !== null && "header" in subject ? subject.header : null;
  const subjectParameter = subject !== null && "parameter" in subject ? subject.parameter : null;
  if (subjectParameter !== null) {
    const rule: BodyRule = { kind: "parameter", name: subjectParameter, action: "drop" };
    requestRules.push(rule);
    // Models give parameters back.
    responseRules.push(rule);
  }
  const redactsBodies = requestRules.length > 0 || responseRules.length > 0;

  function redactSide(side: Side, call: Call, role: "input" | "output", bodyRules: BodyRule[]) {
    const { headers, touched } = redactHeaders(side.headers, headerRules, hash);
    if (bodyRules.length === 0) return { side: { headers, body: side.body }, touched };
    const body = redactBody({ headers, body: side.body }, call, role, bodyRules);
    return { side: plainSide(headers, body), touched: [...touched, ...body.touched] };
  }

  function redactBody(side: Side, call: Call, role: "input" | "output", bodyRules: BodyRule[]): RedactedBody {
    const { bytes, headerLength } = plainBody(side, bytesMax);
    if (call === "infer") return redactV2({ bytes, headerLength }, role, bodyRules, hash);
    if (call === "generate_stream" && role === "output") return redactEvents(bytes, bodyRules, hash);
    return redactJson(bytes, role, bodyRules, hash);
  }

  function redactResponse(open: Side & { call: Call; status: number }) {
    const failed = open.status < 200 || open.status > 299;
    if (!failed) {
      // A stream that has begun with 200 tells of errors by an event.
      const inStream = redactsBodies && open.call === "generate_stream";
      return redactSide(open, open.call, "output", inStream ? [...responseRules, eventError] : responseRules);
    }
    // An error is free text, and may quote the input and what was answered so far: no rule finds all of it.
    const { headers, touched } = redactHeaders(open.headers, headerRules, hash);
    if (!redactsBodies || open.body.length === 0) return { side: { headers, body: open.body }, touched };
    const bytes = Buffer.from(JSON.stringify({ error: maskedText }));
    return {
      side: plainSide(headers, { bytes, headerLength: null }),
      touched: [...touched, "response-error"],
    };
  }

  function subjectOf(request: Side, call: Call): string | null {
    if (subjectHeader === null) {
      const value = parameterOf(plainBody(request, bytesMax), call, subjectParameter!);
      return value === undefined ? null : keyOf(hash).subject(value);
    }
    const value = headerValue(request.headers, subjectHeader);
    // Headers come as latin1, one character for each byte; who asks for an erasure writes UTF-8.
    return value === undefined ? null : keyOf(hash).subject(Buffer.from(value, "latin1"));
  }

  return {
    exchange({ path, status, request, response }) {
      const call = callOf(path);
      const owner = subject === null ? null : subjectOf(request, call);
      const headers = subjectHeader === null ? request.headers : without(request.headers, subjectHeader);
      const asked = redactSide({ headers, body: request.body }, call, "input", requestRules);
      const answered = redactResponse({ ...response, call, status });
      const touched = new Set([...asked.touched, ...answered.touched]);
      const hasOwnRule = rules.some(
        ({ target }) => "parameter" in target && target.parameter === subjectParameter,
      );
      // Who asks is not what is asked: taking it out does not make the request another one.
      if (subjectParameter !== null && !hasOwnRule) touched.delete(`parameter:${subjectParameter}`);
      return {
        path: path.split("?", 1)[0]!,
        request: asked.side,
        response: answered.side,
        redacted: [...touched],
        subject: owner,
      };
    },
    response: (open) => redactResponse(open).side,
  };
}

const eventError: BodyRule = {
  kind: "json",
  path: "$.error",
  steps: [{ kind: "name", name: "error" }],
  action: "mask",
};

function stepsOf(path: string) {
  const steps = parseJsonPath(path);
  if (typeof steps === "string") throw new Error(`the JSON path ${path} ${steps}`);
  return steps;
}

function plainBody({ headers, body }: Side, bytesMax: number) {
  const bytes = decodeContent(body, headerValue(headers, "content-encoding"), bytesMax);
  return { bytes, headerLength: parseHeaderLength(headerValue(headers, headerLengthName), bytes.length) };
}

/** A parameter's value as text: a number 7 and a text "7" are the same subject. */
function parameterOf(
  body: { bytes: Uint8Array; headerLength: number | null },
  call: Call,
  name: string,
): string | undefined {
  if (body.headerLength === 0) return undefined;
  const json = parseJson(body.bytes.subarray(0, body.headerLength ?? body.bytes.length));
  const parameters = isRecord(json) ? json.parameters : undefined;
  const holder = [parameters, call === "infer" ? undefined : json].find(
    (place) => isRecord(place) && Object.hasOwn(place, name),
  );
  const value = (holder as Record<string, unknown> | undefined)?.[name];
  return value === undefined || value === null ? undefined : String(value);
}

function redactHeaders(
  pairs: readonly string[],
  rules: ReadonlyMap<string, RedactionAction>,
  hash: KeyedHash | null,
): { headers: string[]; touched: string[] } {
  const headers: string[] = [];
  const touched: string[] = [];
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const name = pairs[index]!.toLowerCase();
    const value = pairs[index + 1]!;
    const action = rules.get(name);
    if (action !== undefined) touched.push(`header:${name}`);
    if (action === "drop") continue;
    headers.push(name, action === undefined ? value : String(redactedValue(value, action, hash)));
  }
  return { headers, touched };
}

/** A side whose body is plain: its coding is gone, and the length of its JSON is that of the new one. */
function plainSide(
  headers: readonly string[],
  { bytes, headerLength }: Pick<RedactedBody, "bytes" | "headerLength">,
): Side {
  const rest = without(without(headers, "content-encoding"), headerLengthName);
  if (headerLength !== null) rest.push(headerLengthName, String(headerLength));
  return { headers: rest, body: bytes };
}

function without(pairs: readonly string[], name: string): string[] {
  return pairs.filter((_, index) => pairs[index - (index % 2)]!.toLowerCase() !== name);
}
