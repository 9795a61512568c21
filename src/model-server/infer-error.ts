/** An answer to the client other than a result: `{"error": message}` with this status. */
export class InferError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "InferError";
    this.status = status;
  }
}

export const diedOfInput = "did not survive this input";

/** Whether a message of the model server says that an input ended the process of its model. */
export function survivedNot(message: string): boolean {
  return message.includes(diedOfInput);
}
