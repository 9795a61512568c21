import { useLocation, useNavigate, useSearchParams } from "react-router";
import type { ComparisonsQuery } from "../../../../src/control/api.js";
import { queryString } from "../../api";

/** The table's filters as the URL has them, in the API's words; `result` is absent for mismatches, the default. */
export interface Filters {
  run: string | null;
  result: string | null;
  sample: string | null;
  output: string | null;
  kind: string | null;
  signature: string | null;
  /** `name:value` */
  tag: string | null;
  from: string | null;
  to: string | null;
  sort: string | null;
  cursor: string | null;
}

export const sorts: Record<NonNullable<ComparisonsQuery["sort"]>, string> = {
  "-capturedAt": "newest first",
  capturedAt: "oldest first",
  "-maxAbs": "largest error first",
  maxAbs: "smallest error first",
  "-candidateMs": "slowest candidate first",
  candidateMs: "fastest candidate first",
};
export const defaultSort = "-capturedAt";

/** Filters live in the URL alone: a table can be linked to, and the browser's back goes one filter back. */
export function useFilters() {
  const [search] = useSearchParams();
  const { pathname, state } = useLocation() as {
    pathname: string;
    state: { trail?: (string | null)[] } | null;
  };
  const navigate = useNavigate();
  const value = (name: keyof Filters) => search.get(name);
  const filters: Filters = {
    run: value("run"),
    result: value("result"),
    sample: value("sample"),
    output: value("output"),
    kind: value("kind"),
    signature: value("signature"),
    tag: value("tag"),
    from: value("from"),
    to: value("to"),
    sort: value("sort"),
    cursor: value("cursor"),
  };
  // The API knows only what follows a cursor: where one came from is the browser's to remember.
  const trail = state?.trail ?? [];
  return {
    filters,
    trail,
    /** Other filters: a page of their own, from its beginning. */
    linkTo: (changes: Partial<Filters>) =>
      `${pathname}${queryString({ ...filters, cursor: null, ...changes })}`,
    change(changes: Partial<Filters>) {
      // From the address bar, not from the last rendering: a second choice may come before the first has rendered.
      const current = Object.fromEntries(new URLSearchParams(window.location.search));
      navigate(`${pathname}${queryString({ ...current, cursor: null, ...changes })}`, {
        preventScrollReset: true,
      });
    },
    turnTo(cursor: string | null, nextTrail: (string | null)[]) {
      navigate(`${pathname}${queryString({ ...filters, cursor })}`, { state: { trail: nextTrail } });
    },
  };
}

/** What the API is asked for. */
export function comparisonsQueryString(filters: Filters): string {
  const result = filters.result ?? "mismatch";
  return queryString({ ...filters, result: result === "any" ? null : result, limit: 50 });
}
