import { messageOf, UnderstudyError } from "./errors.js";

/** A small client of the control plane's API, for the command line. */
export interface ApiClient {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  put<T>(path: string, body: unknown): Promise<T>;
  patch<T>(path: string, body: unknown): Promise<T>;
  delete(path: string): Promise<void>;
}

/** The parts of an RFC 9457 problem that people are shown. */
interface Problem {
  status: number;
  code?: string;
  title?: string;
  detail?: string;
  hint?: string;
}

/**
 * @param controlUrl base URL of the control plane, without a trailing slash
 * @returns calls that throw UnderstudyError: `control_unreachable`, or what the problem says
 */
export function createApiClient(controlUrl: string): ApiClient {
  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    let response: Response;
    try {
      response = await fetch(`${controlUrl}/api/v1${path}`, {
        method,
        headers: {
          accept: "application/json",
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(90_000),
      });
    } catch (error) {
      const cause = error instanceof Error && error.cause ? error.cause : error;
      throw new UnderstudyError(
        "control_unreachable",
        `No control plane answers at ${controlUrl}: ${messageOf(cause)}`,
        {
          hint: "Start one with `understudy up` or `understudy control`, or set UNDERSTUDY_CONTROL_URL.",
          cause: error,
        },
      );
    }
    const text = await response.text();
    const answer = response.status === 204 ? null : jsonOf(text);
    const isProblem = response.headers.get("content-type")?.startsWith("application/problem+json") ?? false;
    if (answer === undefined || response.ok === isProblem) {
      throw new UnderstudyError(
        "control_unreachable",
        `${controlUrl} answered ${response.status}, and not as a control plane does.`,
        { hint: "Is UNDERSTUDY_CONTROL_URL the address of a control plane?" },
      );
    }
    if (isProblem) throw problemError(answer as Problem, response.status);
    return answer as T;
  }
  return {
    get: (path) => call("GET", path),
    post: (path, body) => call("POST", path, body),
    put: (path, body) => call("PUT", path, body),
    patch: (path, body) => call("PATCH", path, body),
    delete: (path) => call("DELETE", path, {}),
  };
}

/** undefined: it is none. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The detail names every fault of `errors` already. */
function problemError(problem: Problem, status: number): UnderstudyError {
  const message = problem.detail ?? problem.title ?? `The control plane answered ${status}`;
  const code =
    status === 404
      ? "not_found"
      : status === 409
        ? "conflict"
        : status >= 500
          ? "internal"
          : "invalid_request";
  return new UnderstudyError(code, message, { hint: problem.hint, details: { problem } });
}
