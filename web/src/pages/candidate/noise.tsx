import type { Summary } from "../../../../src/control/api.js";
import { count, float, shape } from "../../format";
import { TableScroll } from "../../parts/page";
import { Code } from "../../parts/words";

/** How far two answers of the primary's own model lie apart: what a candidate cannot be blamed for. */
export function Noise({ noise }: { noise: Summary["noise"] }) {
  if (noise === null) {
    return (
      <p className="quiet">
        Noise was not measured in this run: nothing was replayed to a control, so nothing tells how far the
        primary itself would differ from one time to the next.
      </p>
    );
  }
  const errors = noise.errors > 0 && <> {count(noise.errors)} requests it did not answer.</>;
  if (noise.samples === 0) {
    return (
      <p className="quiet">Noise was not measured: the control gave no answer to compare with.{errors}</p>
    );
  }
  if (noise.mismatches === 0 && noise.outputs.every(({ maxAbs }) => maxAbs === 0)) {
    return (
      <p className="quiet">
        The noise floor is 0: in {count(noise.samples)} comparisons with the control its answers were the
        primary's own. Whatever differs is the candidate's doing.{errors}
      </p>
    );
  }
  return (
    <details>
      <summary>
        Noise: {count(noise.samples)} comparisons with the control, {count(noise.mismatches)} of them
        mismatches under the policy.{errors}
      </summary>
      <TableScroll label="Noise">
        <table className="compact">
          <thead>
            <tr>
              <th>output</th>
              <th>shape</th>
              <th className="number">comparisons</th>
              <th className="number">p99 abs</th>
              <th className="number">max abs</th>
              <th className="number">max relative</th>
            </tr>
          </thead>
          <tbody>
            {noise.outputs.map((output) => (
              <tr key={`${output.name} ${output.shape}`}>
                <th scope="row">
                  <Code>{output.name}</Code>
                </th>
                <td>{shape(output.shape)}</td>
                <td className="number">{count(output.samples)}</td>
                <td className="number">{float(output.p99Abs)}</td>
                <td className="number strong">{float(output.maxAbs)}</td>
                <td className="number">{float(output.maxRel)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
    </details>
  );
}
