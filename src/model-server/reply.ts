import { promisify } from "node:util";
import { deflate, gzip } from "node:zlib";
import { headerLengthName } from "../protocol/headers.js";
import type { EncodedMessage } from "../protocol/infer.js";

/** An HTTP answer. */
export interface Reply {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

const compressors = { gzip: promisify(gzip), deflate: promisify(deflate) };

export function emptyReply(status: number): Reply {
  return { status, headers: {}, body: Buffer.alloc(0) };
}

export function jsonReply(status: number, value: unknown): Reply {
  return {
    status,
    headers: { "content-type": "application/json" },
    body: Buffer.from(JSON.stringify(value)),
  };
}

/** The protocol's form of every error. */
export function errorReply(status: number, message: string): Reply {
  return jsonReply(status, { error: message });
}

/** An inference's result, compressed when the client asks for that. The header's length is the JSON's before compression. */
export async function inferReply(
  message: EncodedMessage,
  acceptEncoding: string | undefined,
): Promise<Reply> {
  const binary = message.headerLength !== null;
  const headers: Record<string, string> = {
    "content-type": binary ? "application/octet-stream" : "application/json",
    ...(binary ? { [headerLengthName]: String(message.headerLength) } : {}),
  };
  const coding = codingOf(acceptEncoding ?? "");
  if (coding === null) return { status: 200, headers, body: message.body };
  const body = await compressors[coding](message.body);
  return { status: 200, headers: { ...headers, "content-encoding": coding }, body };
}

function codingOf(acceptEncoding: string): keyof typeof compressors | null {
  for (const part of acceptEncoding.split(",")) {
    const [coding, ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    const refused = parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    if ((coding === "gzip" || coding === "deflate") && !refused) return coding;
  }
  return null;
}
