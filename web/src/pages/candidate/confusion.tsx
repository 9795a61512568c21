import type { CSSProperties } from "react";
import type { Summary } from "../../../../src/control/api.js";
import { count, percent } from "../../format";
import { TableScroll } from "../../parts/page";
import { Code, Name } from "../../parts/words";

type Changes = Summary["outputs"][number]["confusion"];

/** Which decisions turned into which, per output that declares one; nothing where none changed. */
export function Confusion({ outputs }: { outputs: Summary["outputs"] }) {
  const changed = outputs.filter(({ confusion }) => confusion.length > 0);
  if (changed.length === 0) return null;
  return (
    <section aria-label="Changed decisions">
      <h2>Changed decisions</h2>
      {changed.map(({ name, confusion }) => (
        <div key={name} className="card confusion">
          <Matrix name={name} changes={confusion} />
          <MostFrequent name={name} changes={confusion} />
        </div>
      ))}
    </section>
  );
}

/** A row for each decision of the primary, a column for each of the candidate; nothing where there are too many. */
function Matrix({ name, changes }: { name: string; changes: Changes }) {
  const from = sorted(changes.map((change) => change.from));
  const to = sorted(changes.map((change) => change.to));
  if (Math.max(from.length, to.length) > matrixMax) return null;
  const times = new Map(changes.map((change) => [JSON.stringify([change.from, change.to]), change.count]));
  const most = Math.max(...times.values());
  return (
    <TableScroll label={`Decisions of ${name}: primary by candidate`}>
      <table className="compact matrix">
        <thead>
          <tr>
            <th rowSpan={2}>primary</th>
            <th colSpan={to.length} className="group">
              candidate
            </th>
          </tr>
          <tr>
            {to.map((label) => (
              <th key={label} className="number" scope="col">
                <Name>{label}</Name>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {from.map((label) => (
            <tr key={label}>
              <th scope="row">
                <Name>{label}</Name>
              </th>
              {to.map((other) => {
                const n = times.get(JSON.stringify([label, other]));
                return (
                  <td
                    key={other}
                    className={`number ${label === other ? "unchanged" : ""}`}
                    // Square root: what is rare is still to be seen beside what is frequent.
                    style={{ "--share": n === undefined ? 0 : Math.sqrt(n / most) } as CSSProperties}
                  >
                    {n === undefined ? "" : count(n)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

function MostFrequent({ name, changes }: { name: string; changes: Changes }) {
  const all = changes.reduce((sum, change) => sum + change.count, 0);
  return (
    <div>
      <p>
        <Code>{name}</Code> <span className="quiet">decided otherwise, most often</span>
      </p>
      <table className="compact">
        <tbody>
          {changes.slice(0, shownMax).map((change) => (
            <tr key={JSON.stringify([change.from, change.to])}>
              <th scope="row">
                <Name>{change.from}</Name> → <Name>{change.to}</Name>
              </th>
              <td className="number">{count(change.count)}</td>
              <td className="number quiet">{percent(change.count / all, 0)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Each once; numbers by their value. */
function sorted(labels: readonly string[]): string[] {
  return [...new Set(labels)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

const matrixMax = 16;
const shownMax = 8;
