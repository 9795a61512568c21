import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { Candidate, DeadWork, DeadWorkPage, Ledger, WorkRetry } from "../../../../src/control/api.js";
import { type ApiProblem, path, post, queryString, useApi } from "../../api";
import { count, duration } from "../../format";
import { TableScroll } from "../../parts/page";
import { Moment, Name } from "../../parts/words";

/** How a candidate is loaded, what waits for it, and what was given up. */
export function FlowState({ candidate }: { candidate: Candidate }) {
  const { deployment, name, breaker, warnings } = candidate;
  const { data: ledger } = useApi<Ledger>(path`/deployments/${deployment}/ledger`);
  const { data: dead } = useApi<DeadWorkPage>(
    `/works${queryString({ deployment, candidate: name, limit: 100 })}`,
  );
  const account = ledger?.candidates[name];
  return (
    <section aria-label="Flow">
      {breaker !== null && (
        <p className="notice bad" role="alert">
          It does not answer {count(breaker.workers)} {breaker.workers === 1 ? "worker" : "workers"} since{" "}
          <Moment at={breaker.since} />: <Name>{breaker.reason}</Name> Its captures wait; it is asked again{" "}
          <Moment at={breaker.retryAt} />.
        </p>
      )}
      {warnings.map((warning) => (
        <p className="notice" key={warning}>
          {warning}
        </p>
      ))}
      <p className="quiet">
        {lanesOf(candidate)}
        {account && ` · ${count(account.pending)} captures wait`}
        {account && account.expired > 0 && `, ${count(account.expired)} expired`}
      </p>
      {dead && dead.items.length > 0 && <DeadWorks works={dead.items} />}
    </section>
  );
}

function lanesOf({ flow }: Candidate): string {
  const parts = [`${flow.concurrency} at a time in each worker`];
  if (flow.ratePerSecond !== null) parts.push(`${flow.ratePerSecond} a second at most`);
  if (flow.deadlineMs !== null) parts.push(`${duration(flow.deadlineMs)} for each`);
  if (flow.maxAgeMs !== null) parts.push(`none older than ${duration(flow.maxAgeMs)}`);
  return parts.join(", ");
}

function DeadWorks({ works }: { works: readonly DeadWork[] }) {
  const queries = useQueryClient();
  const retrying = useMutation<WorkRetry, ApiProblem, string>({
    networkMode: "always",
    mutationFn: (id) => post<WorkRetry>(path`/works/${id}/retry`),
    onSettled: () => queries.invalidateQueries(),
  });
  return (
    <>
      <h2>
        Given up <span className="quiet">{count(works.length)}</span>
      </h2>
      {retrying.error && <p role="alert">{retrying.error.message}</p>}
      <TableScroll label="Dead works">
        <table>
          <thead>
            <tr>
              <th>work</th>
              <th className="number">captures</th>
              <th>why</th>
              <th>when</th>
              <th aria-label="Action" />
            </tr>
          </thead>
          <tbody>
            {works.map((work) => (
              <tr key={work.id}>
                <th scope="row">{work.id}</th>
                <td className="number">{count(work.rows)}</td>
                <td>
                  <Name>{work.error}</Name>
                </td>
                <td>
                  <Moment at={work.diedAt} />
                </td>
                <td>
                  <button
                    type="button"
                    className="plain"
                    disabled={retrying.isPending}
                    onClick={() => retrying.mutate(work.id)}
                  >
                    Replay again
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
    </>
  );
}
