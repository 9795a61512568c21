import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { CaptureSwitch, Deployment, Estimate } from "../../../src/control/api.js";
import { type ApiProblem, patch, path, useApi } from "../api";
import { bytes, count, duration, percent } from "../format";

/** The switch for all deployments: a line that is there to be seen only while it is off, and a button. */
export function SwitchForAll() {
  const { data } = useApi<CaptureSwitch>("/capture");
  const switching = useSwitch<CaptureSwitch>("/capture", "/capture", (enabled) => ({ enabled }));
  if (!data) return null;
  return (
    <p className={data.enabled ? "quiet" : "notice bad"} role={data.enabled ? undefined : "alert"}>
      {!data.enabled && "Capture is off for all deployments: requests are served, and nothing is recorded. "}
      <SwitchButton switching={switching} enabled={data.enabled} what="for all deployments" />
    </p>
  );
}

/** Whether a deployment's requests are captured, what a day of it would take, and a button. */
export function DeploymentCapture({ deployment }: { deployment: Deployment }) {
  const { name, captureEnabled, sampleRate, capture } = deployment;
  const base = path`/deployments/${name}`;
  const { data: estimate } = useApi<Estimate>(`${base}/estimate`);
  const switching = useSwitch<Deployment>(base, "/deployments", (enabled) => ({ captureEnabled: enabled }));
  const rules = capture.targets.map((rule) => rule.name);
  return (
    <p className="quiet">
      {captureEnabled ? `${percent(sampleRate, 0)} of requests captured` : "capture is off"}
      {rules.length > 0 && `, and those that a rule wants (${rules.join(", ")})`}
      {estimate && <>; {estimateText(estimate)}</>}{" "}
      <SwitchButton switching={switching} enabled={captureEnabled} what={`for ${name}`} />
    </p>
  );
}

function estimateText(estimate: Estimate): string {
  const { bytesPerDay, storedBytesPerDay, requestsPerDay, sampleRate, observedMs } = estimate;
  if (bytesPerDay === null) return "no traffic seen yet to estimate from";
  const seen = `as seen for ${duration(observedMs)}, ${count(Math.round(requestsPerDay ?? 0))} requests a day`;
  const stored = storedBytesPerDay === null ? "" : `, ${bytes(Math.round(storedBytesPerDay))} as stored`;
  return `about ${bytes(Math.round(bytesPerDay))} a day at ${percent(sampleRate, 0)}${stored} (${seen})`;
}

type Switching = ReturnType<typeof useSwitch>;

function useSwitch<T>(apiPath: string, refetched: string, body: (enabled: boolean) => object) {
  const queries = useQueryClient();
  return useMutation<T, ApiProblem, boolean>({
    networkMode: "always",
    mutationFn: (enabled) => patch<T>(apiPath, body(enabled)),
    onSettled: () =>
      queries.invalidateQueries({ predicate: ({ queryKey }) => String(queryKey[0]).startsWith(refetched) }),
  });
}

function SwitchButton({
  switching,
  enabled,
  what,
}: {
  switching: Pick<Switching, "isPending" | "mutate" | "error">;
  enabled: boolean;
  what: string;
}) {
  return (
    <>
      <button
        type="button"
        className="plain"
        disabled={switching.isPending}
        onClick={() => switching.mutate(!enabled)}
      >
        Switch capture {enabled ? "off" : "on"} {what}
      </button>
      {switching.error && <span role="alert"> {switching.error.message}</span>}
    </>
  );
}
