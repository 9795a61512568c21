import type { Summary } from "../../../../src/control/api.js";
import { count } from "../../format";
import { TableScroll } from "../../parts/page";
import { Code, Name } from "../../parts/words";

/** Which decisions turned into which, per output that declares one; nothing where none changed. */
export function Confusion({ outputs }: { outputs: Summary["outputs"] }) {
  const changed = outputs.filter(({ confusion }) => confusion.length > 0);
  if (changed.length === 0) return null;
  return (
    <section>
      <h2>Changed decisions</h2>
      <TableScroll label="Changed decisions">
        <table className="compact">
          <thead>
            <tr>
              <th>output</th>
              <th>from</th>
              <th>to</th>
              <th className="number">comparisons</th>
            </tr>
          </thead>
          <tbody>
            {changed.flatMap(({ name, confusion }) =>
              confusion.slice(0, shownMax).map(({ from, to, count: times }, i) => (
                <tr key={`${name} ${from} ${to}`}>
                  <th scope="row">{i === 0 && <Code>{name}</Code>}</th>
                  <td>
                    <Name>{from}</Name>
                  </td>
                  <td>
                    <Name>{to}</Name>
                  </td>
                  <td className="number">{count(times)}</td>
                </tr>
              )),
            )}
          </tbody>
        </table>
      </TableScroll>
    </section>
  );
}

/** Of each output; the API has more. */
const shownMax = 10;
