import type { IncomingMessage, ServerResponse } from "node:http";
import { bodyOf, startUpstream } from "../gateway/upstream.js";

/** What a server does with one inference request, its body having been read. */
export type Act = (response: ServerResponse, request: IncomingMessage) => void;

/** A V2 server with one model; how it answers an inference is decided by the number in the request's INT32 input. */
export interface Model {
  readonly url: string;
  /** How often each number was acted upon. */
  readonly played: ReadonlyMap<number, number>;
  close(): Promise<void>;
}

export async function startModel(name: string, actOf: (number: number) => Act): Promise<Model> {
  const played = new Map<number, number>();
  const { url, close } = await startUpstream((request, response) => {
    void bodyOf(request).then((body) => {
      if (request.method === "GET") {
        says(200, JSON.stringify({ name, versions: ["1"], platform: "", inputs: [], outputs: [] }))(
          response,
          request,
        );
        return;
      }
      const number = numberOf(body);
      played.set(number, (played.get(number) ?? 0) + 1);
      actOf(number)(response, request);
    });
  });
  return { url, played, close };
}

/** An inference request that holds a number and nothing else. */
export function requestWith(number: number): string {
  return JSON.stringify({ inputs: [{ name: "case", datatype: "INT32", shape: [1], data: [number] }] });
}

function numberOf(body: Buffer): number {
  return (JSON.parse(body.toString()) as { inputs: { data: number[] }[] }).inputs[0]!.data[0]!;
}

/** An HTTP answer with a length. */
export function says(status: number, body: string | Buffer, headers: Record<string, string> = {}): Act {
  return (response) => {
    response.writeHead(status, {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(body),
      ...headers,
    });
    response.end(body);
  };
}

/** An output, as JSON has it. `"NaN"` and the like among its data go out bare, as Triton writes them. */
export const output = (
  name: string,
  datatype: string,
  data: (number | string | boolean)[],
  more: object = {},
) => ({ name, datatype, shape: [data.length], data, ...more });

/** A V2 answer of these outputs. */
export function infers(outputs: object[], more: object = {}): Act {
  const text = JSON.stringify({ model_name: "kinds", model_version: "1", ...more, outputs });
  return says(200, text.replaceAll(/"(NaN|-?Infinity)"/g, "$1"));
}

/** A V2 answer of one FP32 output in binary. @param claimed the length that its JSON part is said to have */
export function infersBinary(name: string, values: number[], claimed?: number): Act {
  const data = Buffer.from(new Float32Array(values).buffer);
  const parameters = { binary_data_size: data.length };
  const head = JSON.stringify({
    model_name: "kinds",
    model_version: "1",
    outputs: [{ name, datatype: "FP32", shape: [values.length], parameters }],
  });
  return says(200, Buffer.concat([Buffer.from(head), data]), {
    "Content-Type": "application/octet-stream",
    "Inference-Header-Content-Length": String(claimed ?? Buffer.byteLength(head)),
  });
}
