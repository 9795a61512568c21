import type { ComparisonTensors, OutputDetail, TensorValues } from "../../../../src/control/api.js";
import { path, useApi } from "../../api";
import { count, element, shape } from "../../format";
import { Answer } from "../../parts/state";
import { Code } from "../../parts/words";
import { Bars, barsOf } from "./bars";
import { Picture, picturesOf } from "./picture";

/** The tensors of the request and of the primary's answer, drawn where they can be. */
export function Tensors({ id, outputs }: { id: string; outputs: readonly OutputDetail[] }) {
  const tensors = useApi<ComparisonTensors>(path`/comparisons/${id}/tensors`, { once: true });
  return (
    <Answer query={tensors}>
      {({ inputs, primary }) => (
        <div className="sides">
          <Side title="Request" side={inputs} outputs={[]} />
          <Side title="The primary's answer" side={primary} outputs={outputs} />
        </div>
      )}
    </Answer>
  );
}

function Side({
  title,
  side,
  outputs,
}: {
  title: string;
  side: ComparisonTensors["inputs"];
  outputs: readonly OutputDetail[];
}) {
  return (
    <section className="card">
      <h2>{title}</h2>
      {side.note && <p className="quiet">{side.note}</p>}
      <div className="tensors">
        {side.tensors?.map((tensor) => (
          <figure key={tensor.name}>
            <figcaption>
              <Code>{tensor.name}</Code>{" "}
              <span className="quiet">
                {tensor.datatype} {shape(tensor.shape)}
              </span>
            </figcaption>
            <Drawing tensor={tensor} output={outputs.find(({ name }) => name === tensor.name)} />
            <Values tensor={tensor} />
          </figure>
        ))}
      </div>
    </section>
  );
}

function Drawing({ tensor, output }: { tensor: TensorValues; output: OutputDetail | undefined }) {
  const pictures = picturesOf(tensor);
  if (pictures.length > 0) {
    return (
      <div className="pictures">
        {pictures.map((picture) => (
          <Picture key={picture.index} picture={picture} name={tensor.name} />
        ))}
      </div>
    );
  }
  const bars = barsOf(tensor, output);
  return bars && <Bars bars={bars} name={tensor.name} />;
}

/** Enough to read; the rest stays in the API. */
const valuesShown = 256;

function Values({ tensor }: { tensor: TensorValues }) {
  const { values, elements, datatype } = tensor;
  const shown = values.slice(0, valuesShown);
  return (
    <details>
      <summary>
        {elements === 1
          ? "Value"
          : `Values${elements > shown.length ? ` (the first ${shown.length} of ${count(elements)})` : ""}`}
      </summary>
      <pre className="values">
        <bdi>{shown.map((value) => element(value, datatype)).join(", ")}</bdi>
      </pre>
    </details>
  );
}
