import { Link } from "react-router";
import type {
  AlertPage,
  Candidate,
  CandidatePage,
  Deployment,
  DeploymentPage,
  Ledger,
  Summary,
} from "../../../src/control/api.js";
import { path, useApi } from "../api";
import { count, ms, none, percent } from "../format";
import { DeploymentCapture, SwitchForAll } from "../parts/capture-switch";
import { Interval } from "../parts/interval";
import { LedgerChecked } from "../parts/ledger-checked";
import { PageHead, TableScroll } from "../parts/page";
import { DeploymentRedaction } from "../parts/redaction";
import { Answer, Empty } from "../parts/state";
import { Badge, Name } from "../parts/words";

export function OverviewPage() {
  const deployments = useApi<DeploymentPage>("/deployments?limit=500");
  return (
    <>
      <PageHead title="Deployments" />
      <SwitchForAll />
      <Answer query={deployments}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty
              title="No deployment yet."
              command={
                "understudy register NAME --primary http://TRITON:8000\n" +
                "understudy candidate NAME CANDIDATE http://TRITON:8000 --version 2"
              }
            >
              A deployment is one model name behind the gateway. Register its primary, then a candidate:
            </Empty>
          ) : (
            items.map((deployment) => <DeploymentSection key={deployment.name} deployment={deployment} />)
          )
        }
      </Answer>
    </>
  );
}

function DeploymentSection({ deployment }: { deployment: Deployment }) {
  const { name, primary } = deployment;
  const candidates = useApi<CandidatePage>(`${path`/deployments/${name}/candidates`}?limit=500`);
  const ledger = useApi<Ledger>(path`/deployments/${name}/ledger`);
  const alerts = useApi<AlertPage>(`/alerts?state=firing&deployment=${encodeURIComponent(name)}`);
  const firing = new Set(alerts.data?.items.map(({ candidate }) => candidate));
  return (
    <section className="card">
      <div className="section-head">
        <h2>
          <Link to={path`/deployments/${name}`}>
            <Name>{name}</Name>
          </Link>
        </h2>
        <p className="quiet">
          primary <Name>{primary.model}</Name> at <Name>{primary.url}</Name>
        </p>
        {ledger.data && (
          <p className="section-side">
            <Link to={path`/deployments/${name}/ledger`}>{count(ledger.data.received)} requests</Link>{" "}
            <Badge word={ledger.data.balanced ? "balanced" : "unbalanced"} />
            <LedgerChecked check={ledger.data.check} />
          </p>
        )}
      </div>
      <DeploymentCapture deployment={deployment} />
      <DeploymentRedaction redaction={deployment.redaction} />
      <Answer query={candidates}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty
              title="No candidate yet."
              command={`understudy candidate ${name} CANDIDATE http://HOST:8000`}
            >
              Register a version under test; captured requests are replayed to it:
            </Empty>
          ) : (
            <TableScroll label={`Candidates of ${name}`}>
              <table>
                <thead>
                  <tr>
                    <th rowSpan={2}>candidate</th>
                    <th rowSpan={2} className="number">
                      samples
                    </th>
                    <th rowSpan={2} className="number">
                      diff rate
                    </th>
                    <th rowSpan={2}>95 % interval</th>
                    <th rowSpan={2} className="number">
                      decisions
                      <br />
                      changed
                    </th>
                    <th rowSpan={2} className="number">
                      errors
                    </th>
                    <th colSpan={2} className="group">
                      latency p50 / p99
                    </th>
                    <th rowSpan={2}>verdict</th>
                  </tr>
                  <tr>
                    <th className="number">primary</th>
                    <th className="number">candidate</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((candidate) => (
                    <CandidateRow
                      key={candidate.name}
                      candidate={candidate}
                      firing={firing.has(candidate.name)}
                    />
                  ))}
                </tbody>
              </table>
            </TableScroll>
          )
        }
      </Answer>
    </section>
  );
}

function CandidateRow({ candidate, firing }: { candidate: Candidate; firing: boolean }) {
  const page = path`/deployments/${candidate.deployment}/candidates/${candidate.name}`;
  const { data } = useApi<Summary>(`${page}/summary`);
  return (
    <tr className="linked">
      <th scope="row">
        <Link to={page} className="row-link">
          <Name>{candidate.name}</Name>
        </Link>{" "}
        {firing && <Badge word="firing" />}
      </th>
      <td className="number">{count(data?.samples)}</td>
      <td className="number strong">{percent(data?.diffRate)}</td>
      <td>{data && <Interval rate={data.diffRate} interval={data.diffRateInterval} />}</td>
      <td className="number">{percent(data?.decisionFlipRate)}</td>
      <td className="number">{percent(data?.errorRate)}</td>
      <td className="number">
        {ms(data?.latency.primary.p50)} / {ms(data?.latency.primary.p99)}
      </td>
      <td className="number">
        {ms(data?.latency.candidate.p50)} / {ms(data?.latency.candidate.p99)}
      </td>
      <td>{data?.verdict ? <Badge word={data.verdict} /> : <span className="quiet">{none}</span>}</td>
    </tr>
  );
}
