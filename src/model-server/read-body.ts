import type { IncomingMessage } from "node:http";
import { InferError } from "./infer-error.js";

/**
 * Reads a request's body.
 *
 * @throws InferError 413 as soon as it is known to be larger than `bytesMax`; 400 when the client breaks off
 */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const tooLarge = () => new InferError(413, `the body is larger than ${bytesMax} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) throw tooLarge();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > bytesMax) {
        request.pause();
        reject(tooLarge());
      } else {
        chunks.push(chunk);
      }
    });
    request.on("end", () => resolve(Buffer.concat(chunks, length)));
    request.on("error", (error) => reject(new InferError(400, error.message)));
    request.on("close", () => reject(new InferError(400, "the request ended early")));
  });
}
