import { Link } from "react-router";
import type { GateItem, GatePage } from "../../../src/control/api.js";
import { path, useApi } from "../api";
import { PageHead, TableScroll } from "../parts/page";
import { Answer, Empty } from "../parts/state";
import { Badge, Moment, Name } from "../parts/words";

/** All gates, the newest first. */
export function GatesPage() {
  const gates = useApi<GatePage>("/gates?limit=100");
  return (
    <>
      <PageHead title="Gates" />
      <Answer query={gates}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty
              title="No gate yet."
              command="understudy gate NAME --candidate CANDIDATE --max-diff-rate 1% --max-error-rate 0.1%"
            >
              A gate judges a candidate by limits: pass, fail or inconclusive, with its evidence.
            </Empty>
          ) : (
            <GateTable gates={items} />
          )
        }
      </Answer>
    </>
  );
}

function GateTable({ gates }: { gates: readonly GateItem[] }) {
  return (
    <TableScroll label="Gates">
      <table>
        <thead>
          <tr>
            <th>gate</th>
            <th>verdict</th>
            <th>candidate</th>
            <th className="number">run</th>
            <th>by</th>
            <th>when</th>
          </tr>
        </thead>
        <tbody>
          {gates.map((gate) => (
            <tr key={gate.id}>
              <th scope="row">
                <Link to={path`/gates/${String(gate.id)}`}>{gate.id}</Link>
              </th>
              <td>{gate.verdict ? <Badge word={gate.verdict} /> : (gate.error ?? gate.state)}</td>
              <td>
                <Link to={path`/deployments/${gate.deployment}/candidates/${gate.candidate}`}>
                  <Name>{gate.deployment}</Name> / <Name>{gate.candidate}</Name>
                </Link>
              </td>
              <td className="number">{gate.run}</td>
              <td>
                <Name>{gate.author}</Name>
              </td>
              <td>
                <Moment at={gate.createdAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}
