import { Link, useLocation, useParams } from "react-router";
import type { ComparisonDetail } from "../../../src/control/api.js";
import { path, queryString, useApi } from "../api";
import { PageHead } from "../parts/page";
import { Answer } from "../parts/state";
import { Badge, Moment, Name } from "../parts/words";
import { Exchange } from "./comparison/exchange";
import { OutputSection } from "./comparison/output-section";
import { Sentence } from "./comparison/sentence";
import { Differences } from "./comparison/structure";
import { Tensors } from "./comparison/tensors";

/** One comparison: what happened, and everything that is kept of it. */
export function ComparisonPage() {
  const { id } = useParams() as { id: string };
  const comparison = useApi<ComparisonDetail>(path`/comparisons/${id}`, { once: true });
  return (
    <Answer query={comparison}>
      {(data) => (
        <>
          <Head comparison={data} />
          {data.disposition !== "erased" && (
            <>
              <Exchange comparison={data} />
              <Tensors id={id} outputs={data.outputs} />
            </>
          )}
          <div className="outputs">
            {data.outputs.map((output) => (
              <OutputSection key={output.name} output={output} />
            ))}
          </div>
          {data.parameters.length > 0 && (
            <section>
              <h2>Parameters of the answers</h2>
              <Differences differences={data.parameters} label="Differences of parameters" />
            </section>
          )}
        </>
      )}
    </Answer>
  );
}

function Head({ comparison }: { comparison: ComparisonDetail }) {
  const { deployment, candidate, run, result, sample, capturedAt, judgedAt, signature } = comparison;
  const { state } = useLocation() as { state: { table?: string } | null };
  const table = `${path`/deployments/${deployment}/candidates/${candidate}`}${queryString({ run })}`;
  const similar = signature && `${table}&signature=${encodeURIComponent(signature)}`;
  return (
    <>
      <PageHead
        title={`Comparison, ${candidate} of ${deployment}`}
        path={[
          { name: "Deployments", to: "/" },
          {
            name: (
              <>
                <Name>{deployment}</Name> / <Name>{candidate}</Name>
              </>
            ),
            to: state?.table ?? table,
          },
        ]}
      >
        <Sentence comparison={comparison} />
      </PageHead>
      <p className="quiet">
        {result && <Badge word={result} />} Captured <Moment at={capturedAt} />, judged{" "}
        <Moment at={judgedAt} />, run {run}
        {sample === "targeted" && (
          <>
            , captured by the rule <Name>{comparison.request?.rule ?? "?"}</Name> (in no rate)
          </>
        )}
        {similar && (
          <>
            {" "}
            · <Link to={similar}>divergences like this</Link>
          </>
        )}
      </p>
    </>
  );
}
