import { useParams } from "react-router";
import type { Deployment } from "../../../src/control/api.js";
import { path, useApi } from "../api";
import { DeploymentCapture, SwitchForAll } from "../parts/capture-switch";
import { PageHead } from "../parts/page";
import { DeploymentRedaction } from "../parts/redaction";
import { Answer } from "../parts/state";
import { Name } from "../parts/words";
import { CaptureTable } from "./deployment/capture-table";
import { EndpointTable } from "./deployment/endpoint-table";

/** How a deployment is set: where its requests go, and what is captured of them. */
export function DeploymentPage() {
  const { deployment } = useParams() as { deployment: string };
  const settings = useApi<Deployment>(path`/deployments/${deployment}`);
  return (
    <>
      <PageHead title={`Settings of ${deployment}`} path={[{ name: "Deployments", to: "/" }]}>
        <Name>{deployment}</Name> <span className="quiet">/</span> Settings
      </PageHead>
      <SwitchForAll />
      <Answer query={settings}>{(data) => <Settings deployment={data} />}</Answer>
    </>
  );
}

function Settings({ deployment }: { deployment: Deployment }) {
  const { name, redaction } = deployment;
  const redactsNothing = redaction.rules.length === 0 && redaction.subject === null;
  return (
    <>
      <section className="card">
        <h2>Capture</h2>
        <DeploymentCapture deployment={deployment} />
        <CaptureTable deployment={deployment} />
        <p className="quiet">
          Changed by <code>understudy deployment set {name} …</code>; gateways follow within two seconds.
        </p>
      </section>
      <section className="card">
        <h2>Redaction</h2>
        {redactsNothing && (
          <p className="quiet">Nothing is taken out of captures, and whose they are is not kept.</p>
        )}
        <DeploymentRedaction redaction={redaction} open />
        <p className="quiet">
          Changed by <code>understudy redaction set {name} FILE</code>. Credentials, cookies and queries are
          never kept.
        </p>
      </section>
      <section className="card">
        <h2>Endpoints</h2>
        <EndpointTable deployment={deployment} />
      </section>
    </>
  );
}
