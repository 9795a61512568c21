import type { ReactNode } from "react";
import type { Summary } from "../../../../src/control/api.js";
import { visible, words } from "../../format";
import {
  differenceMeanings,
  failureMeanings,
  incomparableMeanings,
  resultMeanings,
  sampleMeanings,
} from "../../vocabulary";
import { defaultSort, sorts, useFilters } from "./filters";

/** Chooses what the table of divergences shows. Every choice takes effect at once, through the URL. */
export function FilterBar({ outputs }: { outputs: Summary["outputs"] }) {
  const { filters, change } = useFilters();
  const names = new Set(outputs.map(({ name }) => name));
  if (filters.output !== null) names.add(filters.output);
  const filtered = Object.entries(filters).some(
    ([name, value]) => value !== null && !["run", "sort", "cursor"].includes(name),
  );
  return (
    <form className="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      <Choice
        label="Result"
        value={filters.result ?? "mismatch"}
        onChange={(result) => change({ result: result === "mismatch" ? null : result })}
      >
        {Object.entries(resultMeanings).map(([result, meaning]) => (
          <option key={result} value={result} title={meaning}>
            {result}
          </option>
        ))}
        <option value="any">any</option>
      </Choice>
      <Choice
        label="Sample"
        value={filters.sample ?? ""}
        onChange={(sample) => change({ sample: sample || null })}
      >
        <option value="">any</option>
        {Object.entries(sampleMeanings).map(([sample, meaning]) => (
          <option key={sample} value={sample} title={meaning}>
            {sample}
          </option>
        ))}
      </Choice>
      <Choice
        label="Output"
        value={filters.output ?? ""}
        onChange={(output) => change({ output: output || null })}
      >
        <option value="">any</option>
        {[...names].map((name) => (
          <option key={name} value={name}>
            {visible(name)}
          </option>
        ))}
      </Choice>
      <Choice label="Kind" value={filters.kind ?? ""} onChange={(kind) => change({ kind: kind || null })}>
        <option value="">any</option>
        <KindOptions label="Differences" meanings={differenceMeanings} />
        <KindOptions label="Failures of the candidate" meanings={failureMeanings} />
        <KindOptions label="Incomparable" meanings={incomparableMeanings} />
      </Choice>
      <MomentInput label="From" value={filters.from} onChange={(from) => change({ from })} />
      <MomentInput label="To" value={filters.to} onChange={(to) => change({ to })} />
      <Choice
        label="Sort"
        value={filters.sort ?? defaultSort}
        onChange={(sort) => change({ sort: sort === defaultSort ? null : sort })}
      >
        {Object.entries(sorts).map(([sort, meaning]) => (
          <option key={sort} value={sort}>
            {meaning}
          </option>
        ))}
      </Choice>
      {filters.signature !== null && (
        <button type="button" onClick={() => change({ signature: null })} title="Show all signatures">
          signature {visible(filters.signature)} ×
        </button>
      )}
      {filters.tag !== null && (
        <button type="button" onClick={() => change({ tag: null })} title="Show all tags">
          tag {visible(filters.tag)} ×
        </button>
      )}
      {filtered && (
        <button
          type="button"
          onClick={() =>
            change({
              result: null,
              sample: null,
              output: null,
              kind: null,
              signature: null,
              tag: null,
              from: null,
              to: null,
            })
          }
        >
          Clear filters
        </button>
      )}
    </form>
  );
}

function Choice({
  label,
  value,
  onChange,
  children,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  children: ReactNode;
}) {
  return (
    <label>
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {children}
      </select>
    </label>
  );
}

function KindOptions({ label, meanings }: { label: string; meanings: Record<string, string> }) {
  return (
    <optgroup label={label}>
      {Object.entries(meanings).map(([kind, meaning]) => (
        <option key={kind} value={kind} title={meaning}>
          {words(kind)}
        </option>
      ))}
    </optgroup>
  );
}

/** Local time here, UTC in the URL: a link means the same moment to everyone. */
function MomentInput({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string | null;
  onChange: (value: string | null) => void;
}) {
  return (
    <label>
      <span>{label}</span>
      <input
        type="datetime-local"
        // Uncontrolled, since a half-typed moment is none yet; remade when the URL says another.
        key={value}
        defaultValue={localInput(value)}
        onChange={(event) => {
          const { value: text, validity } = event.target;
          if (text !== "") onChange(new Date(text).toISOString());
          else if (!validity.badInput) onChange(null);
        }}
      />
    </label>
  );
}

function localInput(value: string | null): string {
  const at = value === null ? Number.NaN : Date.parse(value);
  return Number.isNaN(at) ? "" : new Date(at).toLocaleString("sv-SE").slice(0, 16).replace(" ", "T");
}
