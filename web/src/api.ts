import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { Problem } from "../../src/control/api.js";

/** What the control plane said instead of an answer. */
export class ApiProblem extends Error {
  readonly hint: string | undefined;
  /** HTTP status; 0 when there was no answer at all. */
  readonly status: number;

  constructor(problem: Partial<Problem>, status: number) {
    super(problem.detail ?? problem.title ?? `The control plane answered ${status}.`);
    this.hint = problem.hint;
    this.status = status;
  }
}

const get = <T>(apiPath: string, signal: AbortSignal): Promise<T> => call(apiPath, { signal });

/** Changes what a path of the API stands for; returns what it is then. */
export const patch = <T>(apiPath: string, body: unknown): Promise<T> =>
  call(apiPath, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

/** Makes something, or tells something that is there what to do. */
export const post = <T>(apiPath: string, body: unknown = {}): Promise<T> =>
  call(apiPath, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

async function call<T>(apiPath: string, request: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${apiPath}`, request);
  } catch {
    throw new ApiProblem(
      { detail: "The control plane does not answer.", hint: "Is `understudy control` running?" },
      0,
    );
  }
  const answer: unknown = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiProblem(answer as Partial<Problem>, response.status);
  return answer as T;
}

/** A path of the API with its parts escaped: path`/deployments/${name}`. */
export function path(literal: TemplateStringsArray, ...parts: string[]): string {
  return String.raw({ raw: literal }, ...parts.map(encodeURIComponent));
}

/** `?a=b`, without those that are absent; empty when all are. */
export function queryString(fields: Record<string, string | number | null | undefined>): string {
  const present = Object.entries(fields).flatMap(([key, value]) =>
    value === null || value === undefined || value === "" ? [] : [[key, String(value)]],
  );
  return present.length === 0 ? "" : `?${new URLSearchParams(present)}`;
}

/**
 * GET, again every few seconds while the page is looked at.
 * @param options.once what is asked for never changes
 * @param options.when false: nothing is asked for
 * @param options.keep while the path changes, the answer to the one before stays (filters, pages of one list)
 */
export function useApi<T>(apiPath: string, { once = false, keep = false, when = true } = {}) {
  return useQuery<T, ApiProblem>({
    queryKey: [apiPath],
    queryFn: ({ signal }) => get<T>(apiPath, signal),
    enabled: when,
    refetchInterval: once ? false : 3_000,
    staleTime: once ? Number.POSITIVE_INFINITY : 0,
    ...(keep ? { placeholderData: keepPreviousData } : {}),
  });
}
