import { Fragment, type ReactNode } from "react";
import { Link } from "react-router";
import { visible } from "../format";

/** A page's title, and the way to it from the overview. */
export function PageHead({
  title,
  path = [],
  children,
}: {
  /** Of the document, as text. */
  title: string;
  path?: { name: ReactNode; to: string }[];
  /** The heading; default: the title. */
  children?: ReactNode;
}) {
  return (
    <>
      <title>{`${visible(title)} · Understudy`}</title>
      {path.length > 0 && (
        <nav className="crumbs" aria-label="Breadcrumbs">
          {path.map(({ name, to }, i) => (
            <Fragment key={to}>
              {i > 0 && <span aria-hidden="true">/</span>}
              <Link to={to}>{name}</Link>
            </Fragment>
          ))}
        </nav>
      )}
      <h1>{children ?? title}</h1>
    </>
  );
}

/** A wide table scrolls by itself, by keyboard too. */
export function TableScroll({
  label,
  busy = false,
  children,
}: {
  label: string;
  busy?: boolean;
  children: ReactNode;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard
    <section className="scroll" aria-label={label} aria-busy={busy} tabIndex={0}>
      {children}
    </section>
  );
}
