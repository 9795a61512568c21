import { Link } from "react-router";
import type { Summary } from "../../../../src/control/api.js";
import { count, float, percent, words } from "../../format";
import { TableScroll } from "../../parts/page";
import { Code } from "../../parts/words";
import { useFilters } from "./filters";
import { Noise } from "./noise";

/** Per output: how often and how far it differed. Its kinds lead to their divergences. */
export function OutputsTable({ summary }: { summary: Summary }) {
  const { outputs, noise } = summary;
  const { linkTo } = useFilters();
  return (
    <section>
      <h2>Outputs</h2>
      <TableScroll label="Outputs">
        <table>
          <thead>
            <tr>
              <th rowSpan={2}>output</th>
              <th rowSpan={2} className="number">
                compared
              </th>
              <th rowSpan={2} className="number">
                mismatches
              </th>
              <th rowSpan={2} className="number">
                rate
              </th>
              <th colSpan={3} className="group">
                largest absolute error of each
              </th>
              <th rowSpan={2} className="number">
                max relative
              </th>
              <th colSpan={2} className="group">
                noise
              </th>
              <th rowSpan={2}>kinds</th>
            </tr>
            <tr>
              <th className="number">p50</th>
              <th className="number">p99</th>
              <th className="number">max</th>
              <th className="number">floor</th>
              <th className="number" title="Comparisons whose largest error is above the noise floor">
                above
              </th>
            </tr>
          </thead>
          <tbody>
            {outputs.map((output) => (
              <tr key={output.name}>
                <th scope="row">
                  <Code>{output.name}</Code>
                </th>
                <td className="number">{count(output.compared)}</td>
                <td className="number">{count(output.mismatches)}</td>
                <td className="number strong">
                  {percent(output.compared === 0 ? null : output.mismatches / output.compared)}
                </td>
                <td className="number">{float(output.p50Abs)}</td>
                <td className="number">{float(output.p99Abs)}</td>
                <td className="number">{float(output.maxAbs)}</td>
                <td className="number">{float(output.maxRel)}</td>
                <td className="number">{float(floorOf(noise, output.name))}</td>
                <td className="number">{count(output.aboveNoise)}</td>
                <td>
                  {Object.entries(output.kinds).map(([kind, times]) => (
                    <Link
                      key={kind}
                      className="badge bad"
                      to={linkTo({ output: output.name, kind })}
                      title="Show these divergences"
                    >
                      {words(kind)} {count(times)}
                    </Link>
                  ))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
      <Noise noise={noise} />
    </section>
  );
}

/** The largest that the control made, over all shapes. */
function floorOf(noise: Summary["noise"], output: string): number | null {
  const floors = (noise?.outputs ?? []).flatMap(({ name, maxAbs }) =>
    name === output && maxAbs !== null ? [Number(maxAbs)] : [],
  );
  return floors.length === 0 ? null : Math.max(...floors);
}
