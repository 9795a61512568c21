import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { DeploymentPage, Selection, SelectionPage } from "../../../src/control/api.js";
import { type ApiProblem, path, post, useApi } from "../api";
import { count, visible } from "../format";
import { Field, FilterFields, FilterWords, filterOf } from "../parts/filter-fields";
import { PageHead, TableScroll } from "../parts/page";
import { Answer, Empty } from "../parts/state";
import { Badge, Code, Moment, Name } from "../parts/words";

/** Named sets of captures, one deployment after the other. */
export function SelectionsPage() {
  const deployments = useApi<DeploymentPage>("/deployments?limit=500");
  return (
    <>
      <PageHead title="Selections" />
      <Answer query={deployments}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="There is no deployment yet." />
          ) : (
            items.map(({ name }) => <OfDeployment key={name} deployment={name} />)
          )
        }
      </Answer>
    </>
  );
}

function OfDeployment({ deployment }: { deployment: string }) {
  const base = path`/deployments/${deployment}/selections`;
  const selections = useApi<SelectionPage>(`${base}?limit=500`);
  return (
    <section className="card">
      <h2>
        <Name>{deployment}</Name>
      </h2>
      <Answer query={selections}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty
              title="No selection yet."
              command={`understudy selection create ${visible(deployment)} last-hour --since 1h --seal`}
            >
              A sealed selection is replayed to one candidate after the other, so that their numbers are
              comparable.
            </Empty>
          ) : (
            <SelectionTable base={base} selections={items} />
          )
        }
      </Answer>
      <NewSelection base={base} deployment={deployment} />
    </section>
  );
}

function useSelections(base: string) {
  const queries = useQueryClient();
  return {
    networkMode: "always",
    onSettled: () =>
      queries.invalidateQueries({ predicate: ({ queryKey }) => String(queryKey[0]).startsWith(base) }),
  } as const;
}

function SelectionTable({ base, selections }: { base: string; selections: readonly Selection[] }) {
  const sealing = useMutation<Selection, ApiProblem, string>({
    ...useSelections(base),
    mutationFn: (name) => post<Selection>(base + path`/${name}/seal`, {}),
  });
  return (
    <>
      {sealing.error && (
        <p className="notice bad" role="alert">
          {sealing.error.message} {sealing.error.hint}
        </p>
      )}
      <TableScroll label="Selections">
        <table>
          <thead>
            <tr>
              <th>selection</th>
              <th className="number">captures</th>
              <th className="number">erased</th>
              <th>which</th>
              <th>seal</th>
              <th>created</th>
            </tr>
          </thead>
          <tbody>
            {selections.map(({ name, captures, erased, filter, sealed, createdAt }) => (
              <tr key={name}>
                <th scope="row">
                  <Name>{name}</Name>
                </th>
                <td className="number">{count(captures)}</td>
                <td className="number">{count(erased)}</td>
                <td>
                  <FilterWords filter={filter} />
                </td>
                <td>
                  {sealed === null ? (
                    <button
                      type="button"
                      className="plain"
                      disabled={sealing.isPending}
                      onClick={() => sealing.mutate(name)}
                    >
                      Seal {visible(name)}
                    </button>
                  ) : (
                    <span title={sealed.sha256}>
                      <Badge word="sealed" /> <Code>{sealed.sha256.slice(0, 12)}</Code>
                    </span>
                  )}
                </td>
                <td>
                  <Moment at={createdAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
    </>
  );
}

function NewSelection({ base, deployment }: { base: string; deployment: string }) {
  // Remade empty after each that was made.
  const [made, setMade] = useState(0);
  const making = useMutation<Selection, ApiProblem, object>({
    ...useSelections(base),
    mutationFn: (body) => post<Selection>(base, body),
    onSuccess: () => setMade(made + 1),
  });
  return (
    <form
      key={made}
      className="filters"
      aria-label={`New selection of ${visible(deployment)}`}
      onSubmit={(event) => {
        event.preventDefault();
        const form = new FormData(event.currentTarget);
        making.mutate({ name: form.get("name"), filter: filterOf(form), seal: form.has("seal") });
      }}
    >
      <Field label="Name">
        <input name="name" required maxLength={128} />
      </Field>
      <FilterFields />
      <Field label="Seal at once">
        <input name="seal" type="checkbox" />
      </Field>
      <button type="submit" disabled={making.isPending}>
        Create
      </button>
      {making.error && (
        <p className="notice bad" role="alert">
          {making.error.message} {making.error.hint}
        </p>
      )}
    </form>
  );
}
