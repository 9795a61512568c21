import { messageOf } from "../errors.js";
import { driverCauseOf } from "./driver-error.js";

/** Words of Prisma's adapter for pg for a database that cannot be asked. */
const kinds = new Set([
  "DatabaseNotReachable",
  "DatabaseDoesNotExist",
  "DatabaseAccessDenied",
  "AuthenticationFailed",
  "TlsConnectionError",
  "TooManyConnections",
  "ConnectionClosed",
  "SocketTimeout",
]);

/** Postgres' classes 08, connection exception, and 57P, shutting down or starting up. */
const sqlStates = /^(08|57P)/;

/** What pg says in words only. */
const sayings = /Connection terminated|timeout exceeded when trying to connect|Query read timeout/;

/** Whether an error of the store means that the database cannot be asked now, and not that it was asked wrongly. */
export function isUnreachable(error: unknown): boolean {
  const cause = driverCauseOf(error);
  if (cause?.kind !== undefined && kinds.has(cause.kind)) return true;
  if (cause?.code !== undefined && sqlStates.test(cause.code)) return true;
  return sayings.test(messageOf(error));
}
