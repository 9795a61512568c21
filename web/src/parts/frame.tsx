import { type ReactNode, useEffect } from "react";
import { Link, NavLink, useLocation, useNavigationType } from "react-router";
import type { AlertPage } from "../../../src/control/api.js";
import { useApi } from "../api";

/** What every page has around it. */
export function Frame({ children }: { children: ReactNode }) {
  const { data } = useApi<AlertPage>("/alerts?state=firing");
  const firing = data?.items.length ?? 0;
  useTopOfNewPages();
  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="frame">
        <Link to="/" className="brand">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <circle className="brand-behind" cx="19" cy="16" r="10" />
            <circle className="brand-front" cx="13" cy="16" r="10" />
          </svg>
          Understudy
        </Link>
        <nav aria-label="Pages">
          <NavLink to="/" end>
            Overview
          </NavLink>
          <NavLink to="/replays">Replays</NavLink>
          <NavLink to="/selections">Selections</NavLink>
          <NavLink to="/gates">Gates</NavLink>
          <NavLink to="/alerts">
            Alerts {firing > 0 && <span className="badge bad">{firing} firing</span>}
          </NavLink>
          <NavLink to="/erasures">Erasures</NavLink>
          <a href="/api/v1/openapi.json">API</a>
        </nav>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

/** A link leads to the top of its page, for eyes and for screen readers; back and forward lead to where one was. */
function useTopOfNewPages() {
  const { pathname } = useLocation();
  const how = useNavigationType();
  // biome-ignore lint/correctness/useExhaustiveDependencies: runs when the page changes, not its filters
  useEffect(() => {
    if (how !== "PUSH") return;
    window.scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true });
  }, [pathname]);
}
