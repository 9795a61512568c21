import { Fragment } from "react";
import { count, percent, words } from "../../format";
import { TableScroll } from "../../parts/page";
import type { Line } from "./accounts";

/** A sum as it is checked by hand: the total, then every term that makes it up. */
export function AccountTable({
  label,
  name,
  total,
  lines,
}: {
  label: string;
  /** Of the total. */
  name: string;
  total: number;
  lines: readonly Line[];
}) {
  return (
    <TableScroll label={label}>
      <table className="account">
        <thead>
          <tr>
            <th>state</th>
            <th className="number">requests</th>
            <th className="number">share</th>
            <th aria-label="Share, drawn" />
            <th>meaning</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line, i) => (
            <Fragment key={line.term}>
              <tr className={line.n === 0 ? "quiet" : ""}>
                <th scope="row">
                  <span className="operator" aria-hidden="true">
                    {i === 0 ? "" : "+"}
                  </span>
                  {line.term}
                </th>
                <td className="number">{count(line.n)}</td>
                <td className="number">{line.n > 0 && percent(share(line.n, total))}</td>
                <td>
                  <ShareBar share={share(line.n, total)} tone={line.tone ?? ""} />
                </td>
                <td className="quiet">{line.meaning}</td>
              </tr>
              {line.reasons?.map(({ reason, meaning, n }) => (
                <tr key={reason} className="reason">
                  <th scope="row">{words(reason)}</th>
                  <td className="number">{count(n)}</td>
                  <td className="number">{percent(share(n, total))}</td>
                  <td>
                    <ShareBar share={share(n, total)} tone={line.tone ?? ""} />
                  </td>
                  <td className="quiet">{meaning}</td>
                </tr>
              ))}
            </Fragment>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">
              <span className="operator" aria-hidden="true">
                =
              </span>
              {name}
            </th>
            <td className="number strong">{count(total)}</td>
            <td colSpan={3} />
          </tr>
        </tfoot>
      </table>
    </TableScroll>
  );
}

const share = (n: number, total: number) => (total === 0 ? 0 : n / total);

function ShareBar({ share, tone }: { share: number; tone: string }) {
  return (
    <svg className={`share ${tone}`} viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
      <rect className="share-track" width="100" height="8" />
      {share > 0 && <rect className="share-part" width={Math.max(share * 100, 0.8)} height="8" />}
    </svg>
  );
}
