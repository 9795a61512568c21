import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { ApiProblem } from "../api";
import { Moment } from "./words";

/** Shows an answer once it is there; before that, that it is awaited; instead of it, what went wrong and what to do. */
export function Answer<T>({
  query,
  children,
}: {
  query: UseQueryResult<T, ApiProblem>;
  children: (data: T) => ReactNode;
}) {
  const { data, error, dataUpdatedAt } = query;
  return (
    <>
      {error && (
        <div className="notice bad" role="alert">
          <strong>{error.message}</strong>
          {error.hint && <p>{error.hint}</p>}
          {data !== undefined && (
            <p>
              Shown is what it said <Moment at={dataUpdatedAt} relative />.
            </p>
          )}
        </div>
      )}
      {data !== undefined && children(data)}
      {data === undefined && !error && <p className="quiet">Loading…</p>}
    </>
  );
}

/** What stands where there is nothing yet, with the next step. */
export function Empty({
  title,
  command,
  children,
}: {
  title: string;
  command?: string;
  children?: ReactNode;
}) {
  return (
    <div className="notice">
      <strong>{title}</strong>
      {children && <p>{children}</p>}
      {command && <pre>{command}</pre>}
    </div>
  );
}
