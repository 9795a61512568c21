import type { RequestHandler, ServerConnection } from "../http1/server-connection.js";
import { answerJson } from "./replies.js";
import { countRequest, type RouteStats } from "./stats.js";

/** A request that the gateway answers by itself, whatever its body is. */
export class OwnAnswer implements RequestHandler {
  readonly #client: ServerConnection;
  readonly #status: number;
  readonly #body: object;
  readonly #stats: RouteStats | null;
  readonly #receivedMs = performance.now();
  #isAnswered = false;

  /** @param stats where it is counted; null: nowhere */
  constructor(client: ServerConnection, status: number, body: object, stats: RouteStats | null) {
    this.#client = client;
    this.#status = status;
    this.#body = body;
    this.#stats = stats;
  }

  bodyMemory(): null {
    return null;
  }

  start(): void {
    answerJson(this.#client, this.#status, this.#body);
  }

  onRequestPart(): boolean {
    return true;
  }

  onRequestEnd(): void {}

  onClientDrain(): void {}

  onAnswered(): void {
    this.#isAnswered = true;
    this.#count(this.#status);
  }

  onOver(): void {
    if (!this.#isAnswered) this.#count("aborted");
  }

  #count(ending: number | "aborted"): void {
    if (this.#stats !== null) countRequest(this.#stats, ending, performance.now() - this.#receivedMs);
  }
}
