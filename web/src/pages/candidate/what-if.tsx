import { Link } from "react-router";
import type { Run } from "../../../../src/control/api.js";
import { count, percent, words } from "../../format";
import { Figure, Figures } from "../../parts/figures";
import { TableScroll } from "../../parts/page";
import { Code } from "../../parts/words";
import { judgementText } from "../../policy-words";

/** What another policy would have said of the very same pairs, beside what was said; nothing of a run of another kind. */
export function WhatIf({ run, base }: { run: Run; base: string }) {
  const { rejudge, works, sourceRun } = run;
  if (rejudge === null) return null;
  const { pairs, stored, storedShare, before, after, changes } = rejudge;
  return (
    <section className="card" aria-label="What if">
      <div className="section-head">
        <h2>What if: another policy on the same pairs</h2>
        <p className="quiet">
          policy version {run.policyVersion} tried on{" "}
          <Link to={`${base}?run=${sourceRun}`}>run {sourceRun}</Link>
        </p>
      </div>
      <p className="quiet">
        No inference was made: the answers were stored, and judged again. What is in force stays so.
        {works.pending > 0 && ` So far ${works.total - works.pending} of ${works.total} segments.`}
        {works.dead > 0 && ` ${count(works.dead)} segments could not be judged again.`}
      </p>
      <Figures>
        <Change name="diff rate" from={percent(before.diffRate)} to={percent(after.diffRate)} />
        <Change
          name="mismatches"
          from={count(before.mismatches)}
          to={count(after.mismatches)}
          note={`of ${count(after.samples)} samples`}
        />
        <Change
          name="decisions changed"
          from={percent(before.decisionFlipRate)}
          to={percent(after.decisionFlipRate)}
        />
        <Figure name="pairs still stored" note={`${count(stored)} of ${count(pairs)}`}>
          {percent(storedShare, 1)}
        </Figure>
      </Figures>
      <PolicyChanges run={run} rejudge={rejudge} />
      {changes.length > 0 && (
        <p className="quiet">
          {changes.map(({ from, to, pairs }) => `${words(from)} → ${words(to)}: ${count(pairs)}`).join("; ")}
        </p>
      )}
    </section>
  );
}

function Change({ name, from, to, note }: { name: string; from: string; to: string; note?: string }) {
  return (
    <Figure name={name} note={note}>
      <span className="quiet">{from} →</span> {to}
    </Figure>
  );
}

/** Output by output, what the two policies say differently. */
function PolicyChanges({ run, rejudge }: { run: Run; rejudge: NonNullable<Run["rejudge"]> }) {
  const { version, body } = rejudge.sourcePolicy;
  const names = [...new Set([...Object.keys(body.outputs), ...Object.keys(run.policy.outputs)])];
  const said = (policy: typeof body, name: string) => {
    const own = policy.outputs[name];
    return own ? judgementText(own) : "not named";
  };
  const rows = names
    .map((name) => ({ name, before: said(body, name), after: said(run.policy, name) }))
    .filter(({ before, after }) => before !== after);
  const parametersOf = (policy: typeof body) => policy.parameters ?? "report";
  if (rows.length === 0 && parametersOf(body) === parametersOf(run.policy)) {
    return <p className="quiet">It judges as version {version} did.</p>;
  }
  return (
    <TableScroll label="Differences of the policies">
      <table className="compact">
        <thead>
          <tr>
            <th>output</th>
            <th>judged by, version {version}</th>
            <th>tried, version {run.policyVersion}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, before, after }) => (
            <tr key={name}>
              <th scope="row">{name === "*" ? "all others" : <Code>{name}</Code>}</th>
              <td>{before}</td>
              <td>{after}</td>
            </tr>
          ))}
          {parametersOf(body) !== parametersOf(run.policy) && (
            <tr>
              <th scope="row">parameters that differ</th>
              <td>{parametersOf(body)}</td>
              <td>{parametersOf(run.policy)}</td>
            </tr>
          )}
        </tbody>
      </table>
    </TableScroll>
  );
}
