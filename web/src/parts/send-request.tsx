import type { Deployment } from "../../../src/control/api.js";
import { path, useApi } from "../api";
import { Empty } from "./state";
import { Name } from "./words";

/** What stands where nothing was received yet: how to send a first request. */
export function SendRequest({ deployment, title }: { deployment: string; title: string }) {
  const { data } = useApi<Deployment>(path`/deployments/${deployment}`);
  const model = encodeURIComponent(data?.primary.model ?? deployment).replaceAll("'", "%27");
  return (
    <Empty
      title={title}
      command={
        `curl 'http://GATEWAY:8000/v2/models/${model}/infer' \\\n` +
        "  -H 'content-type: application/json' -d @request.json"
      }
    >
      Requests to <Name>{deployment}</Name> appear here a few seconds after they have gone through the
      gateway. Send it one:
    </Empty>
  );
}
