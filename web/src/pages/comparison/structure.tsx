import type { ComparisonDetail } from "../../../../src/control/api.js";
import { none } from "../../format";
import { TableScroll } from "../../parts/page";
import { Code } from "../../parts/words";

/** Differences between two structures: what was added, removed or changed, and where. */
export function Differences({
  differences,
  label,
}: {
  differences: ComparisonDetail["parameters"];
  label: string;
}) {
  return (
    <TableScroll label={label}>
      <table className="structure">
        <thead>
          <tr>
            <th>path</th>
            <th>change</th>
            <th>primary</th>
            <th>candidate</th>
          </tr>
        </thead>
        <tbody>
          {differences.map(({ path, change, primary, candidate }) => (
            <tr key={`${path} ${change}`}>
              <th scope="row">{path === "" ? none : <Code>{path}</Code>}</th>
              <td>{change === "array" ? "changed in an array" : change}</td>
              <td>
                <Value value={primary} />
              </td>
              <td>
                <Value value={candidate} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

function Value({ value }: { value: unknown }) {
  return value === undefined ? none : <Code>{JSON.stringify(value)}</Code>;
}
