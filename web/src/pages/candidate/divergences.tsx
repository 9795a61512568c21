import { Link, useLocation } from "react-router";
import type { ComparisonItem, ComparisonPage, Summary } from "../../../../src/control/api.js";
import { path, useApi } from "../../api";
import { float, ms, none, visible, words } from "../../format";
import { TableScroll } from "../../parts/page";
import { Answer, Empty } from "../../parts/state";
import { Badge, Code, Moment, Name } from "../../parts/words";
import { sampleMeanings } from "../../vocabulary";
import { FilterBar } from "./filter-bar";
import { comparisonsQueryString, defaultSort, useFilters } from "./filters";

/** The table that reviewers work with: comparisons by filter, a page at a time. */
export function Divergences({ base, summary }: { base: string; summary: Summary }) {
  const { filters } = useFilters();
  const page = useApi<ComparisonPage>(`${base}/comparisons${comparisonsQueryString(filters)}`, {
    keep: true,
  });
  const onlyMismatches = filters.result === null;
  return (
    <section>
      <h2>{onlyMismatches ? "Divergences" : "Comparisons"}</h2>
      <FilterBar outputs={summary.outputs} />
      <Answer query={page}>
        {({ items, nextCursor }) => (
          <>
            {items.length === 0 ? (
              <Nothing summary={summary} />
            ) : (
              <TableScroll label="Comparisons" busy={page.isPlaceholderData}>
                <table className="divergences">
                  <thead>
                    <tr>
                      <th>captured</th>
                      {!onlyMismatches && <th>result</th>}
                      <th>kind</th>
                      <th>outputs that differ</th>
                      <th className="number">max abs error</th>
                      <th className="number">max rel error</th>
                      <th>decision</th>
                      <th className="number">primary</th>
                      <th className="number">candidate</th>
                      <th>signature</th>
                    </tr>
                  </thead>
                  <tbody>
                    {items.map((item) => (
                      <Row key={item.id} item={item} withResult={!onlyMismatches} />
                    ))}
                  </tbody>
                </table>
              </TableScroll>
            )}
            <Paging nextCursor={nextCursor} busy={page.isPlaceholderData} />
          </>
        )}
      </Answer>
    </section>
  );
}

function Row({ item, withResult }: { item: ComparisonItem; withResult: boolean }) {
  const { linkTo } = useFilters();
  const { pathname, search } = useLocation();
  return (
    <tr className="linked">
      <th scope="row">
        <Link to={path`/comparisons/${item.id}`} state={{ table: pathname + search }} className="row-link">
          <Moment at={item.capturedAt} />
        </Link>{" "}
        {item.sample === "targeted" && (
          <span className="quiet" title={sampleMeanings.targeted}>
            targeted
          </span>
        )}
      </th>
      {withResult && <td>{item.result && <Badge word={item.result} />}</td>}
      <td>{item.kind === null ? none : words(item.kind)}</td>
      <td>
        {item.outputs.length === 0
          ? none
          : item.outputs.map((output) => (
              <span key={output} className="listed">
                <Code>{output}</Code>
              </span>
            ))}
      </td>
      <td className="number strong">{float(item.maxAbs)}</td>
      <td className="number">{float(item.maxRel)}</td>
      <td>
        <DecisionCell item={item} />
      </td>
      <td className="number">{ms(item.primaryMs)}</td>
      <td className="number">{ms(item.candidateMs)}</td>
      <td>
        {item.signature === null ? (
          none
        ) : (
          <Link
            className="quiet above"
            to={linkTo({ signature: item.signature })}
            title="Show only divergences like this"
          >
            <code>{item.signature}</code>
          </Link>
        )}
      </td>
    </tr>
  );
}

/** From → to of each output that decided otherwise. */
function DecisionCell({ item: { flip, flips } }: { item: ComparisonItem }) {
  if (flip === null) return none;
  if (!flip) return "same";
  if (flips.length === 0) return <span className="badge bad">changed</span>;
  return flips.map(({ output, from, to }) => (
    <span key={output} className="listed" title={`${visible(output)}: ${visible(from)} → ${visible(to)}`}>
      {flips.length > 1 && <Code>{output}</Code>}{" "}
      <span className="badge bad">
        <Name>{shortened(from)}</Name> → <Name>{shortened(to)}</Name>
      </span>
    </span>
  ));
}

const labelMax = 24;
const shortened = (label: string) => (label.length <= labelMax ? label : `${label.slice(0, labelMax)}…`);

function Paging({ nextCursor, busy }: { nextCursor: string | null; busy: boolean }) {
  const { filters, trail, turnTo } = useFilters();
  const { cursor } = filters;
  if (cursor === null && nextCursor === null) return null;
  const sort = filters.sort ?? defaultSort;
  const [before, after] =
    sort === "-capturedAt"
      ? ["Newer", "Older"]
      : sort === "capturedAt"
        ? ["Older", "Newer"]
        : ["Previous", "Next"];
  // Whoever came by a link has no trail; the way back is then the first page.
  const back = trail.at(-1) ?? null;
  return (
    <nav className="paging" aria-label="Pages of the table">
      <button
        type="button"
        disabled={cursor === null || busy}
        onClick={() => turnTo(back, trail.slice(0, -1))}
      >
        ← {before}
      </button>
      <button
        type="button"
        disabled={nextCursor === null || busy}
        onClick={() => turnTo(nextCursor, [...trail, cursor])}
      >
        {after} →
      </button>
      {cursor !== null && (
        <button type="button" className="plain" onClick={() => turnTo(null, [])}>
          To the first page
        </button>
      )}
    </nav>
  );
}

function Nothing({ summary }: { summary: Summary }) {
  const { filters, linkTo } = useFilters();
  const { result, sample, output, kind, signature, tag, from, to, cursor } = filters;
  if ([result, sample, output, kind, signature, tag, from, to, cursor].some((value) => value !== null)) {
    return <Empty title="No comparison matches these filters." />;
  }
  if (summary.samples === 0) {
    return (
      <Empty title="No two answers to compare.">
        <Link to={linkTo({ result: "incomparable" })}>What came back instead</Link>
      </Empty>
    );
  }
  return <Empty title="No divergence.">The candidate agreed with the primary in every sample so far.</Empty>;
}
