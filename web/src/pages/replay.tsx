import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import type { Replay } from "../../../src/control/api.js";
import { type ApiProblem, path, post, useApi } from "../api";
import { count, duration, percent, words } from "../format";
import { Figure, Figures } from "../parts/figures";
import { FilterWords } from "../parts/filter-fields";
import { PageHead } from "../parts/page";
import { Answer } from "../parts/state";
import { Badge, Code, Moment, Name } from "../parts/words";
import { Fidelity } from "./replays/fidelity";
import { paceText } from "./replays/words";

/** One replay: how far it is, its account, and how faithful its time line was. */
export function ReplayDetailPage() {
  const { replay: id = "" } = useParams();
  const replay = useApi<Replay>(path`/replays/${id}`);
  return (
    <>
      <PageHead title={`Replay ${id}`} path={[{ name: "Replays", to: "/replays" }]}>
        Replay {id} {replay.data && <Badge word={replay.data.state} />}
      </PageHead>
      <Answer query={replay}>{(data) => <Detail replay={data} />}</Answer>
    </>
  );
}

function Detail({ replay }: { replay: Replay }) {
  const { deployment, candidate, target, selection, ended, captures, works } = replay;
  return (
    <>
      <p>
        To <Name>{deployment}</Name> /{" "}
        <Link to={`${path`/deployments/${deployment}/candidates/${candidate}`}?run=${replay.id}`}>
          <Name>{candidate}</Name>
        </Link>{" "}
        at <Code>{target.url}</Code>, {paceText(replay.pace)};{" "}
        {selection === null ? (
          <FilterWords filter={replay.filter} />
        ) : (
          <>
            selection <Name>{selection}</Name>
          </>
        )}
        ; policy {replay.policyVersion}.
      </p>
      {replay.error !== null && (
        <div className="notice bad" role="alert">
          <Name>{replay.error}</Name>
        </div>
      )}
      <section className="card">
        <progress aria-label="Ended" max={captures} value={ended} />
        <Figures>
          <Figure name="ended" note={`${count(ended)} of ${count(captures)}`}>
            {percent(ended / captures, 0)}
          </Figure>
          <Figure name="works" note={works.dead > 0 ? `${works.dead} dead` : `${works.open} open`}>
            {count(works.done)} of {count(works.total)}
          </Figure>
          <Figure
            name="time"
            note={replay.startedAt === null ? "not begun" : <Moment at={replay.startedAt} />}
          >
            {replay.startedAt === null ? "–" : duration((replay.endedAt ?? Date.now()) - replay.startedAt)}
          </Figure>
        </Figures>
        <Actions replay={replay} />
      </section>
      <Account replay={replay} />
      <Fidelity replay={replay} />
    </>
  );
}

const verbs: Record<Replay["state"], ("pause" | "resume" | "cancel")[]> = {
  planned: ["pause", "cancel"],
  running: ["pause", "cancel"],
  paused: ["resume", "cancel"],
  done: [],
  cancelled: [],
  failed: [],
};

function Actions({ replay: { id, state } }: { replay: Replay }) {
  const queries = useQueryClient();
  const base = path`/replays/${String(id)}`;
  const acting = useMutation<Replay, ApiProblem, string>({
    networkMode: "always",
    mutationFn: (verb) => post<Replay>(`${base}/${verb}`, {}),
    onSettled: () => queries.invalidateQueries({ queryKey: [base] }),
  });
  return (
    <p>
      {verbs[state].map((verb) => (
        <button key={verb} type="button" disabled={acting.isPending} onClick={() => acting.mutate(verb)}>
          {verb}
        </button>
      ))}
      {acting.error && <span role="alert"> {acting.error.message}</span>}
    </p>
  );
}

/** Where each of the captures ended; states that none ended in are left out. */
function Account({ replay: { ledger, balanced } }: { replay: Replay }) {
  const { compared, candidateError, notReplayed, expired, dead, erased, pending } = ledger;
  const rows: [string, number][] = [
    ["compared", compared],
    ...Object.entries(candidateError).map(
      ([kind, n]) => [`candidate error: ${words(kind)}`, n] as [string, number],
    ),
    ...Object.entries(notReplayed).map(([why, n]) => [`not replayed: ${words(why)}`, n] as [string, number]),
    ["expired", expired],
    ["dead", dead],
    ["erased", erased],
    ["pending", pending],
  ];
  return (
    <section className="card">
      <h2>
        Account <Badge word={balanced ? "balanced" : "unbalanced"} />
      </h2>
      <table aria-label="Account" className="compact">
        <tbody>
          {rows
            .filter(([name, n]) => n > 0 || name === "compared")
            .map(([name, n]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td className="number">{count(n)}</td>
              </tr>
            ))}
        </tbody>
      </table>
    </section>
  );
}
