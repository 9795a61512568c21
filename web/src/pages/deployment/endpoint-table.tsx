import type { Deployment } from "../../../../src/control/api.js";
import { none } from "../../format";
import { TableScroll } from "../../parts/page";
import { Name } from "../../parts/words";

/** Where a deployment's requests go. Of headers only the names are shown: their values are secrets. */
export function EndpointTable({ deployment: { primary, control } }: { deployment: Deployment }) {
  const { replicas = [] } = primary;
  const rows = [
    { role: "primary", ...primary },
    ...replicas.map((url, i) => ({ role: `replica ${i + 2}`, ...primary, url })),
    ...(control === null ? [] : [{ role: "control", ...control }]),
  ];
  return (
    <TableScroll label="Endpoints">
      <table>
        <thead>
          <tr>
            <th>role</th>
            <th>URL</th>
            <th>model</th>
            <th>version</th>
            <th>headers</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ role, url, model, version, headers }) => (
            <tr key={role}>
              <th scope="row">{role}</th>
              <td>
                <Name>{url}</Name>
              </td>
              <td>
                <Name>{model}</Name>
              </td>
              <td>{version === null ? "newest" : <Name>{version}</Name>}</td>
              <td>
                {Object.keys(headers).length === 0 ? none : <Name>{Object.keys(headers).join(", ")}</Name>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}
