import type { Erasure, ErasurePage } from "../../../src/control/api.js";
import { useApi } from "../api";
import { count, none } from "../format";
import { PageHead, TableScroll } from "../parts/page";
import { Answer, Empty } from "../parts/state";
import { Moment, Name } from "../parts/words";

/** What was erased, the newest first. */
export function ErasuresPage() {
  const erasures = useApi<ErasurePage>("/erasures?limit=100");
  return (
    <>
      <PageHead title="Erasures" />
      <Answer query={erasures}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="Nothing was erased." command="understudy erase --request ID">
              An erasure takes a request, or all of a person's, out of everything that is kept, and proves it.
            </Empty>
          ) : (
            <ErasureTable erasures={items} />
          )
        }
      </Answer>
    </>
  );
}

function ErasureTable({ erasures }: { erasures: readonly Erasure[] }) {
  return (
    <TableScroll label="Erasures">
      <table>
        <thead>
          <tr>
            <th>erasure</th>
            <th>of</th>
            <th>deployment</th>
            <th className="number">captures</th>
            <th className="number">erased</th>
            <th>state</th>
            <th>asked for</th>
            <th>proved</th>
          </tr>
        </thead>
        <tbody>
          {erasures.map((erasure) => (
            <tr key={erasure.id}>
              <th scope="row">
                <code>{erasure.id}</code>
              </th>
              <td>{erasure.kind === "request" ? "a request" : "a subject"}</td>
              <td>{erasure.deployment === null ? "all" : <Name>{erasure.deployment}</Name>}</td>
              <td className="number">{count(erasure.found)}</td>
              <td className="number">{count(erasure.erased)}</td>
              <td>{stateOf(erasure)}</td>
              <td>
                <Moment at={erasure.createdAt} />
              </td>
              <td>{erasure.proof === null ? none : <Moment at={erasure.proof.at} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

function stateOf({ state, waitingFor, error }: Erasure): string {
  if (error !== null) return error;
  return state === "waiting" ? `waits for ${waitingFor.join("; ")}` : state;
}
