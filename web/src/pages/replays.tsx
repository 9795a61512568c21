import { Link } from "react-router";
import type { DeploymentPage, Replay, ReplayPage } from "../../../src/control/api.js";
import { path, useApi } from "../api";
import { count, percent } from "../format";
import { PageHead, TableScroll } from "../parts/page";
import { Answer, Empty } from "../parts/state";
import { Badge, Moment, Name } from "../parts/words";
import { NewReplay } from "./replays/new-replay";
import { paceText } from "./replays/words";

/** All replays, the newest first, and a form for another. */
export function ReplaysPage() {
  const replays = useApi<ReplayPage>("/replays?limit=50");
  const deployments = useApi<DeploymentPage>("/deployments?limit=500");
  return (
    <>
      <PageHead title="Replays" />
      <Answer query={replays}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No replay yet." command="understudy replay NAME --candidate CANDIDATE --since 1h">
              A replay sends captured requests again, at their own pace or faster, and judges what comes back.
            </Empty>
          ) : (
            <ReplayTable replays={items} />
          )
        }
      </Answer>
      <section className="card">
        <h2>New replay</h2>
        <Answer query={deployments}>
          {({ items }) =>
            items.length === 0 ? (
              <p className="quiet">There is no deployment yet.</p>
            ) : (
              <NewReplay deployments={items.map(({ name }) => name)} />
            )
          }
        </Answer>
      </section>
    </>
  );
}

function ReplayTable({ replays }: { replays: readonly Replay[] }) {
  return (
    <TableScroll label="Replays">
      <table>
        <thead>
          <tr>
            <th>replay</th>
            <th>state</th>
            <th>to</th>
            <th>of</th>
            <th>pace</th>
            <th className="number">captures</th>
            <th className="number">ended</th>
            <th>when</th>
          </tr>
        </thead>
        <tbody>
          {replays.map((replay) => (
            <tr key={replay.id}>
              <th scope="row">
                <Link to={path`/replays/${String(replay.id)}`}>{replay.id}</Link>
              </th>
              <td>
                <Badge word={replay.state} />
              </td>
              <td>
                <Name>{replay.deployment}</Name> / <Name>{replay.candidate}</Name>
              </td>
              <td>
                {replay.selection === null ? (
                  <span className="quiet">a filter</span>
                ) : (
                  <Name>{replay.selection}</Name>
                )}
              </td>
              <td>{paceText(replay.pace)}</td>
              <td className="number">{count(replay.captures)}</td>
              <td className="number">{percent(replay.ended / replay.captures, 0)}</td>
              <td>
                <Moment at={replay.createdAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}
