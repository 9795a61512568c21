import type { OutputDetail } from "../../../../src/control/api.js";
import { count, element, float, none, shape, words } from "../../format";
import { TableScroll } from "../../parts/page";
import { Badge, Code, Name } from "../../parts/words";
import { Differences } from "./structure";

/** One output of one comparison: the numbers, the decision, the elements that differ most. */
export function OutputSection({ output }: { output: OutputDetail }) {
  const { name, result, kind, decision, worst, differences } = output;
  return (
    <section className="card">
      <div className="section-head">
        <h2>
          <Code>{name}</Code>
        </h2>
        <Badge word={result} />
        {kind && <span>{words(kind)}</span>}
        {decision && (
          <span className="decision">
            decision <Name>{decision.from}</Name> → <Name>{decision.to}</Name>{" "}
            {decision.flip ? <span className="badge bad">changed</span> : <span className="quiet">same</span>}
          </span>
        )}
        <Form output={output} />
      </div>
      <Numbers output={output} />
      {worst.length > 0 && <Worst worst={worst} name={name} />}
      {differences.length > 0 && <Differences differences={differences} label={`Differences in ${name}`} />}
    </section>
  );
}

function Form({ output }: { output: OutputDetail }) {
  const { datatype, candidateDatatype } = output;
  const primary = datatype && `${datatype} ${shape(output.shape)}`;
  const candidate = candidateDatatype && `${candidateDatatype} ${shape(output.candidateShape ?? [])}`;
  return (
    <span className="quiet section-side">
      {candidate === null || candidate === primary ? primary : `${primary} → ${candidate}`}
    </span>
  );
}

function Numbers({ output }: { output: OutputDetail }) {
  const nonFinite = output.nonFinitePrimary + output.nonFiniteCandidate > 0;
  return (
    <TableScroll label={`Numbers of ${output.name}`}>
      <table className="compact">
        <thead>
          <tr>
            <th className="number">elements</th>
            <th className="number">mismatches</th>
            <th className="number">max abs error</th>
            <th className="number">max rel error</th>
            <th className="number">mean abs error</th>
            <th className="number">RMSE</th>
            <th className="number">cosine</th>
            {nonFinite && <th className="number">not finite, primary / candidate</th>}
          </tr>
        </thead>
        <tbody>
          <tr>
            <td className="number">{count(output.elements)}</td>
            <td className="number strong">{count(output.mismatches)}</td>
            <td className="number">{float(output.maxAbs)}</td>
            <td className="number">{float(output.maxRel)}</td>
            <td className="number">{float(output.meanAbs)}</td>
            <td className="number">{float(output.rmse)}</td>
            <td className="number">{float(output.cosine)}</td>
            {nonFinite && (
              <td className="number">
                {count(output.nonFinitePrimary)} / {count(output.nonFiniteCandidate)}
              </td>
            )}
          </tr>
        </tbody>
      </table>
    </TableScroll>
  );
}

function Worst({ worst, name }: { worst: OutputDetail["worst"]; name: string }) {
  return (
    <TableScroll label={`Elements of ${name} that differ most`}>
      <table className="compact">
        <caption>Elements that differ most</caption>
        <thead>
          <tr>
            <th>index</th>
            <th className="number">primary</th>
            <th className="number">candidate</th>
            <th className="number">abs error</th>
          </tr>
        </thead>
        <tbody>
          {worst.map(({ index, primary, candidate, absError }) => (
            <tr key={index.join()}>
              <th scope="row">{index.length === 0 ? none : shape(index)}</th>
              <td className="number">
                <bdi>{element(primary)}</bdi>
              </td>
              <td className="number">
                <bdi>{element(candidate)}</bdi>
              </td>
              <td className="number strong">{float(absError)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}
