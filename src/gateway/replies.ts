import { STATUS_CODES } from "node:http";
import type { ServerConnection } from "../http1/server-connection.js";

/** Answers as V2 servers do: `{"error": "…"}`. */
export function answerError(client: ServerConnection, status: number, message: string): void {
  answerJson(client, status, { error: message });
}

export function answerJson(client: ServerConnection, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  const headers = ["Content-Type", "application/json", "Content-Length", String(bytes.length)];
  const statusText = STATUS_CODES[status] ?? "";
  client.begin({ status, statusText, headers, body: "length", contentLength: bytes.length }, true);
  client.write(bytes);
  client.end([]);
}
