import type { OutputDetail } from "../../../../src/control/api.js";
import { element, float, none, shape, words } from "../../format";
import { TableScroll } from "../../parts/page";
import { Badge, Code } from "../../parts/words";
import { Decision } from "./decision";
import { Histogram } from "./histogram";
import { JudgedBy } from "./judged-by";
import { Numbers } from "./numbers";
import { Differences } from "./structure";

/** One output of one comparison: the numbers, the decision, the elements that differ most. */
export function OutputSection({ output }: { output: OutputDetail }) {
  const { name, result, kind, decision, worst, differences, histogram } = output;
  return (
    <section className="card">
      <div className="section-head">
        <h2>
          <Code>{name}</Code>
        </h2>
        <Badge word={result} />
        {kind && <span>{words(kind)}</span>}
        {decision && <Decision decision={decision} />}
        <Form output={output} />
      </div>
      <JudgedBy output={output} />
      <Numbers output={output} />
      {histogram !== null && histogram.decades.length > 0 && <Histogram histogram={histogram} name={name} />}
      {worst.length > 0 && <Worst output={output} />}
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

function Worst({ output: { worst, name, datatype, candidateDatatype } }: { output: OutputDetail }) {
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
                <bdi>{element(primary, datatype)}</bdi>
              </td>
              <td className="number">
                <bdi>{element(candidate, candidateDatatype)}</bdi>
              </td>
              <td className="number strong">{float(absError)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}
