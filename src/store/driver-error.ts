/** What Prisma's adapter for pg says of an error of the server or of the connection. */
interface DriverCause {
  /** The adapter's own word. */
  kind?: string;
  /** Postgres' code where the adapter has no word for it. */
  code?: string;
  /** Postgres' code in every case. */
  originalCode?: string;
}

/** undefined: the error did not come from the adapter. */
export function driverCauseOf(error: unknown): DriverCause | undefined {
  return (error as { meta?: { driverAdapterError?: { cause?: DriverCause } } } | null)?.meta
    ?.driverAdapterError?.cause;
}

/** Whether a statement was refused because a row of it was there. */
export function isUniqueViolation(error: unknown): boolean {
  return driverCauseOf(error)?.originalCode === "23505";
}
