import { useState } from "react";
import { Link } from "react-router";
import type { Signature, SignaturePage } from "../../../../src/control/api.js";
import { path, queryString, useApi } from "../../api";
import { count, float, none, shape, words } from "../../format";
import { TableScroll } from "../../parts/page";
import { Answer } from "../../parts/state";
import { Badge, Code, Moment } from "../../parts/words";
import { signatureStateMeanings } from "../../vocabulary";
import { useFilters } from "./filters";
import { SignatureForm } from "./signature-form";

const shownMax = 10;

/** Divergences in groups of those that are alike, and what people made of each group. */
export function Signatures({ base, run }: { base: string; run: number }) {
  const [all, setAll] = useState(false);
  const list = useApi<SignaturePage>(`${base}/signatures${queryString({ run, limit: 500 })}`);
  if (list.data?.items.length === 0) return null;
  return (
    <section>
      <h2>Signatures</h2>
      <Answer query={list}>
        {({ items }) => (
          <>
            <TableScroll label="Signatures">
              <table className="signatures">
                <thead>
                  <tr>
                    <th>signature</th>
                    <th className="number">count</th>
                    <th>kind</th>
                    <th>output</th>
                    <th>error</th>
                    <th>decision</th>
                    <th>shape</th>
                    <th>first seen</th>
                    <th>last seen</th>
                    <th>state</th>
                    <th>this is</th>
                  </tr>
                </thead>
                <tbody>
                  {items.slice(0, all ? items.length : shownMax).map((item) => (
                    <Row key={item.id} item={item} base={base} />
                  ))}
                </tbody>
              </table>
            </TableScroll>
            {items.length > shownMax && (
              <button type="button" className="plain" onClick={() => setAll(!all)}>
                {all ? "Show fewer" : `Show all ${items.length}`}
              </button>
            )}
          </>
        )}
      </Answer>
    </section>
  );
}

function Row({ item, base }: { item: Signature; base: string }) {
  const { linkTo } = useFilters();
  return (
    <tr>
      <th scope="row">
        {item.count === 0 ? (
          <code>{item.id}</code>
        ) : (
          <Link to={linkTo({ signature: item.id })} title="Show only divergences like this">
            <code>{item.id}</code>
          </Link>
        )}
      </th>
      <td className="number strong">{count(item.count)}</td>
      <td>{words(item.kind)}</td>
      <td>{item.output === null ? none : <Code>{item.output}</Code>}</td>
      <td className="nowrap">{magnitude(item.magnitude)}</td>
      <td>{item.flip === null ? none : item.flip ? <span className="badge bad">changed</span> : "same"}</td>
      <td className="nowrap">{item.shape === null ? none : shape(item.shape)}</td>
      <td>
        {item.firstSeen === null ? (
          none
        ) : item.representative === null ? (
          <Moment at={item.firstSeen} />
        ) : (
          <Link to={path`/comparisons/${item.representative}`} title="Show this comparison">
            <Moment at={item.firstSeen} />
          </Link>
        )}
      </td>
      <td>{item.lastSeen === null ? none : <Moment at={item.lastSeen} relative />}</td>
      <td>
        <span title={signatureStateMeanings[item.state]}>
          <Badge word={item.state} />
        </span>
        {item.state === "accepted" && item.acceptedUntil !== null && (
          <>
            {" "}
            until <Moment at={item.acceptedUntil} />
          </>
        )}
      </td>
      <td>
        <SignatureForm base={base} item={item} />
      </td>
    </tr>
  );
}

/** The decade of the largest absolute error. */
function magnitude(value: Signature["magnitude"]): string {
  if (typeof value !== "number" || value === 0) return float(value);
  return `${float(value)} to ${float(value * 10)}`;
}
