import { STATUS_CODES } from "node:http";
import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import type { z } from "zod";
import { messageOf, UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";
import { isUnreachable } from "../store/unreachable.js";
import type { Problem } from "./api.js";

/** Faults of a request, as `errors` of a problem. */
export interface Fault {
  path: string;
  message: string;
}

/** @throws UnderstudyError `invalid_request` that names every field at fault. */
export function invalidRequest(error: z.ZodError, where: "query" | "body"): UnderstudyError {
  const faults = error.issues.map(({ path, message }) => ({ path: path.map(String).join("."), message }));
  const listed = faults
    .map(({ path, message }) => (path === "" ? message : `${path}: ${message}`))
    .join("; ");
  return new UnderstudyError("invalid_request", `The ${where} is not valid: ${listed}`, {
    hint: "Correct the fields that are named; /api/v1/openapi.json describes them all.",
    details: { faults },
  });
}

/** Answers what no route took. */
export const notFound: RequestHandler = (request) => {
  throw new UnderstudyError("not_found", `There is no ${request.method} ${request.path}`, {
    hint: "/api/v1/openapi.json lists what there is.",
  });
};

/** Turns whatever was thrown into an RFC 9457 problem; what is our own fault is logged and not told. */
export function problems(log: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const problem = problemOf(error);
    if (problem.status >= 500) {
      const stack = error instanceof Error ? error.stack : undefined;
      log.error(
        { method: request.method, path: request.path, error: messageOf(error), stack },
        "request failed",
      );
    }
    sendProblem(response, problem);
  };
}

function sendProblem(response: Response, problem: Problem): void {
  response.status(problem.status).type("application/problem+json").send(JSON.stringify(problem));
}

function problemOf(error: unknown): Problem {
  if (error instanceof UnderstudyError) {
    const faults = error.details?.faults as Fault[] | undefined;
    return problem(error.code, error.status, error.message, error.hint, faults);
  }
  const status = clientStatus(error);
  if (status !== null) return problem("invalid_request", status, messageOf(error));
  if (isUnreachable(error)) {
    const hint = "Try again once the database is back; /readyz tells.";
    return problem("database_unreachable", 503, "The database does not answer", hint);
  }
  return problem("internal", 500, "Something went wrong here; the log of the control plane says what.");
}

/** The status of an error of Express itself (malformed JSON, a body too large, a bad escape in the path). */
function clientStatus(error: unknown): number | null {
  const status = (error as { status?: unknown } | null)?.status;
  return typeof status === "number" && status >= 400 && status < 500 ? status : null;
}

function problem(code: string, status: number, detail: string, hint?: string, errors?: Fault[]): Problem {
  return {
    type: "about:blank",
    title: STATUS_CODES[status] ?? "Error",
    status,
    detail,
    code,
    ...(hint === undefined ? {} : { hint }),
    ...(errors === undefined ? {} : { errors }),
  };
}
