import { Link, useParams, useSearchParams } from "react-router";
import type { Candidate, CandidatePage as Candidates, Run, Summary } from "../../../src/control/api.js";
import { path, queryString, useApi } from "../api";
import { PageHead } from "../parts/page";
import { SendRequest } from "../parts/send-request";
import { Answer } from "../parts/state";
import { Badge, Moment, Name } from "../parts/words";
import { Confusion } from "./candidate/confusion";
import { Divergences } from "./candidate/divergences";
import { FlowState } from "./candidate/flow-state";
import { OutputsTable } from "./candidate/outputs-table";
import { Signatures } from "./candidate/signatures";
import { SummaryHead } from "./candidate/summary-head";
import { WhatIf } from "./candidate/what-if";

/** One candidate: what its comparisons came to, and the table of its divergences. */
export function CandidatePage() {
  const { deployment, candidate } = useParams() as { deployment: string; candidate: string };
  const [search] = useSearchParams();
  const run = search.get("run");
  const base = path`/deployments/${deployment}/candidates/${candidate}`;
  const candidates = useApi<Candidates>(`${path`/deployments/${deployment}/candidates`}?limit=500`);
  const summary = useApi<Summary>(`${base}/summary${queryString({ run })}`);
  const asked = useApi<Run>(path`/runs/${run ?? ""}`, { when: run !== null });
  const rejudged = asked.data?.kind === "rejudge" ? asked.data : null;
  const known = candidates.data?.items.find(({ name }) => name === candidate);
  return (
    <>
      <PageHead title={`${candidate} of ${deployment}`} path={[{ name: "Deployments", to: "/" }]}>
        <Name>{deployment}</Name> <span className="quiet">/</span> <Name>{candidate}</Name>
      </PageHead>
      {known && <Identity candidate={known} />}
      {known?.state === "active" && <FlowState candidate={known} />}
      <Answer query={summary}>
        {(data) => (
          <>
            {known && data.run !== known.run && (
              <p className="notice">
                This is run {data.run}. The newest {rejudged && "live one "}is{" "}
                <Link to={base}>run {known.run}</Link>.
              </p>
            )}
            {rejudged && <WhatIf run={rejudged} base={base} />}
            {/* Without a single replay there is not even a share of errors. */}
            {data.errorRate === null ? (
              rejudged === null && <SendRequest deployment={deployment} title="Nothing compared yet." />
            ) : (
              <>
                <SummaryHead summary={data} />
                {data.outputs.length > 0 && <OutputsTable summary={data} />}
                <Confusion outputs={data.outputs} />
                <Signatures base={base} run={data.run} />
                <Divergences key={`${base} ${data.run}`} base={base} summary={data} />
              </>
            )}
          </>
        )}
      </Answer>
    </>
  );
}

function Identity({ candidate }: { candidate: Candidate }) {
  return (
    <p className="quiet">
      <Name>{candidate.model}</Name>
      {candidate.version !== null && (
        <>
          {" "}
          version <Name>{candidate.version}</Name>
        </>
      )}{" "}
      at <Name>{candidate.url}</Name>
      {candidate.sha256 && (
        <>
          {" "}
          · <span title={`SHA-256 ${candidate.sha256}`}>sha256 {candidate.sha256.slice(0, 12)}…</span>
        </>
      )}{" "}
      · live run {candidate.run}, registered <Moment at={candidate.createdAt} /> ·{" "}
      <Link to={path`/deployments/${candidate.deployment}/ledger`}>ledger</Link>{" "}
      {candidate.state === "retired" && <Badge word="retired" />}
    </p>
  );
}
