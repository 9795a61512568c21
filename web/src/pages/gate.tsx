import { Link, useParams } from "react-router";
import type { Gate, GateReport } from "../../../src/control/api.js";
import { percentText } from "../../../src/gate/numbers.js";
import {
  boundsText,
  criterionTitles,
  observedText,
  outlookText,
  requirementText,
  requirementTitles,
} from "../../../src/gate/words.js";
import { path, useApi } from "../api";
import { count } from "../format";
import { PageHead, TableScroll } from "../parts/page";
import { Answer } from "../parts/state";
import { Badge, Moment, Name } from "../parts/words";

/** One gate: its verdict, why, and whether it still holds. */
export function GatePage() {
  const { gate: id } = useParams() as { gate: string };
  const gate = useApi<Gate>(path`/gates/${id}`);
  return (
    <>
      <PageHead title={`Gate ${id}`} path={[{ name: "Gates", to: "/gates" }]} />
      <Answer query={gate}>{(data) => <GateBody gate={data} />}</Answer>
    </>
  );
}

function GateBody({ gate }: { gate: Gate }) {
  const { id, report, standing, approvals, error, selection } = gate;
  return (
    <>
      <p>
        {gate.verdict && <Badge word={gate.verdict} />}{" "}
        <Link to={`${path`/deployments/${gate.deployment}/candidates/${gate.candidate}`}?run=${gate.run}`}>
          <Name>{gate.deployment}</Name> / <Name>{gate.candidate}</Name>
        </Link>
        , run {gate.run}, by <Name>{gate.author}</Name>, <Moment at={gate.createdAt} />
      </p>
      {gate.state === "running" && selection !== null && (
        <p className="notice">
          Running: {count(selection.read)} of {count(selection.members)} members of the selection{" "}
          <Name>{selection.name}</Name> are finished, in the order of its seal. It ends as soon as the verdict
          is certain.
        </p>
      )}
      {error !== null && <p className="notice bad">{error}</p>}
      {standing !== null && standing.changed.length > 0 && (
        <p className="notice bad">It does not hold any more; changed since: {standing.changed.join(", ")}.</p>
      )}
      {standing !== null && standing.erased > 0 && (
        <p className="notice">{count(standing.erased)} of its requests were erased since.</p>
      )}
      {standing !== null && standing.dropped !== null && (
        <p className="notice">
          It cannot be counted again: retention has dropped its captures of {standing.dropped}.
        </p>
      )}
      {report !== null && <ReportBody report={report} id={id} />}
      {approvals.map((approval) => (
        <p key={approval.at} className="notice">
          {approval.lapsed === null ? "Approved" : "Approval that does not count"} by{" "}
          <Name>{approval.by}</Name>, <Moment at={approval.at} />: <Name>{approval.reason}</Name>
          {approval.lapsed !== null && <> ({approval.lapsed})</>}
        </p>
      ))}
    </>
  );
}

function ReportBody({ report, id }: { report: GateReport; id: number }) {
  return (
    <>
      <p>
        {report.summary} <a href={`/api/v1/gates/${id}/report.html`}>The whole report, with plots</a>
      </p>
      <TableScroll label="Limits">
        <table>
          <thead>
            <tr>
              <th>limit</th>
              <th className="number">at most</th>
              <th className="number">observed</th>
              <th className="number">bounds</th>
              <th className="number">counted</th>
              <th>verdict</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {report.criteria.map((criterion) => (
              <tr key={criterion.name}>
                <th scope="row">{criterionTitles[criterion.name]}</th>
                <td className="number">{percentText(criterion.limit)}</td>
                <td className="number strong">{percentText(criterion.observed)}</td>
                <td className="number">{boundsText(criterion)}</td>
                <td className="number">{observedText(criterion)}</td>
                <td>
                  <Badge word={criterion.verdict} />
                </td>
                <td>{outlookText(criterion)}</td>
              </tr>
            ))}
            {report.requirements.map((requirement) => (
              <tr key={requirement.name}>
                <th scope="row">{requirementTitles[requirement.name]}</th>
                <td colSpan={4}>{requirementText(requirement)}</td>
                <td>{requirement.met ? "met" : <Badge word="inconclusive" />}</td>
                <td>{requirement.reason}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
      {report.notes.map((note) => (
        <p key={note} className="quiet">
          {note}
        </p>
      ))}
    </>
  );
}
