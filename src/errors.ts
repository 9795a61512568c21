/**
 * Every error of ours that a person or a client can meet, by code. A failure of a *model* is not an error but a
 * value (see `Observation`).
 *
 * `status` is the HTTP status the control plane answers with; `exit` the exit code of the CLI.
 */
const codes = {
  config_invalid: { status: 500, exit: 2 },
  usage: { status: 400, exit: 2 },
  invalid_request: { status: 400, exit: 2 },
  cross_site: { status: 403, exit: 2 },
  not_found: { status: 404, exit: 2 },
  conflict: { status: 409, exit: 2 },
  protocol_error: { status: 422, exit: 2 },
  endpoint_unreachable: { status: 422, exit: 2 },
  endpoint_not_v2: { status: 422, exit: 2 },
  address_refused: { status: 422, exit: 2 },
  model_invalid: { status: 422, exit: 2 },
  provider_unavailable: { status: 500, exit: 2 },
  blob_corrupt: { status: 500, exit: 2 },
  blob_missing: { status: 404, exit: 2 },
  file_unreadable: { status: 422, exit: 2 },
  lease_lost: { status: 409, exit: 2 },
  database_unreachable: { status: 503, exit: 2 },
  queue_unreachable: { status: 503, exit: 2 },
  busy: { status: 503, exit: 2 },
  webhook_failed: { status: 502, exit: 2 },
  control_unreachable: { status: 503, exit: 2 },
  migration_failed: { status: 500, exit: 2 },
  port_in_use: { status: 500, exit: 2 },
  child_failed: { status: 500, exit: 2 },
  internal: { status: 500, exit: 2 },
} as const;

export type ErrorCode = keyof typeof codes;

/** An error with a code, a sentence for people, and the next step they can take. */
export class UnderstudyError extends Error {
  readonly code: ErrorCode;
  /** What to do next, in one sentence. */
  readonly hint: string | undefined;
  /** Machine-readable particulars, for example the list of invalid fields. */
  readonly details: Record<string, unknown> | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string; details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "UnderstudyError";
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
  }

  get status(): number {
    return codes[this.code].status;
  }

  get exitCode(): number {
    return codes[this.code].exit;
  }
}

/** What Prisma puts before what went wrong: its call, and lines of our source. */
const prismaPreamble = /^\s*Invalid `[^`]+` invocation[\s\S]*\n\n/;

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(prismaPreamble, "") : String(error);
}
