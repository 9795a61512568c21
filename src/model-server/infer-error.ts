/** An answer to the client other than a result: `{"error": message}` with this status. */
export class InferError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "InferError";
    this.status = status;
  }
}
