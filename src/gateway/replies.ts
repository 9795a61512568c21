import type { ServerResponse } from "node:http";

/** Answers as V2 servers do: `{"error": "…"}`. */
export function answerError(response: ServerResponse, status: number, message: string): void {
  answerJson(response, status, { error: message });
}

export function answerJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}
