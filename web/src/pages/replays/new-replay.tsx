import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import type { CandidatePage, Replay, ReplayCreate, SelectionPage } from "../../../../src/control/api.js";
import { type ApiProblem, path, post, useApi } from "../../api";
import { visible } from "../../format";
import { Field, FilterFields, filterOf } from "../../parts/filter-fields";

/** Starts a replay and leads to it. */
export function NewReplay({ deployments }: { deployments: readonly string[] }) {
  const [deployment, setDeployment] = useState(deployments[0]!);
  const [selection, setSelection] = useState("");
  const [pace, setPace] = useState("original");
  const base = path`/deployments/${deployment}`;
  const { data: candidates } = useApi<CandidatePage>(`${base}/candidates?limit=500`);
  const { data: selections } = useApi<SelectionPage>(`${base}/selections?limit=500`);
  const go = useNavigate();
  const starting = useMutation<Replay, ApiProblem, ReplayCreate>({
    networkMode: "always",
    mutationFn: (body) => post<Replay>("/replays", body),
    onSuccess: ({ id }) => go(`/replays/${id}`),
  });

  function start(form: FormData): void {
    const number = (name: string) => (form.get(name) ? Number(form.get(name)) : undefined);
    const ratePerSecond = pace === "max" ? number("ratePerSecond") : undefined;
    const concurrency = number("concurrency");
    const to = String(form.get("target"));
    starting.mutate({
      deployment,
      ...(to === "@control" ? { control: true } : { candidate: to }),
      ...(selection === "" ? { filter: filterOf(form) } : { selection }),
      pace: pace === "original" || pace === "max" ? pace : Number(pace),
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
      onFailure: form.has("stop") ? "stop" : "skip",
    });
  }

  return (
    <form
      className="filters"
      aria-label="New replay"
      onSubmit={(event) => {
        event.preventDefault();
        start(new FormData(event.currentTarget));
      }}
    >
      <Field label="Deployment">
        <select
          value={deployment}
          onChange={(event) => {
            setDeployment(event.target.value);
            setSelection("");
          }}
        >
          {deployments.map((name) => (
            <option key={name} value={name}>
              {visible(name)}
            </option>
          ))}
        </select>
      </Field>
      <Field label="To">
        <select name="target" key={`${deployment} ${candidates !== undefined}`}>
          {candidates?.items
            .filter(({ state }) => state !== "target")
            .map(({ name }) => (
              <option key={name} value={name}>
                {visible(name)}
              </option>
            ))}
          <option value="@control">the control</option>
        </select>
      </Field>
      <Field label="Pace">
        <select value={pace} onChange={(event) => setPace(event.target.value)}>
          <option value="original">as recorded</option>
          <option value="2">2 times as fast</option>
          <option value="10">10 times as fast</option>
          <option value="100">100 times as fast</option>
          <option value="max">as fast as allowed</option>
        </select>
      </Field>
      <Field label="In flight at most">
        <input
          name="concurrency"
          type="number"
          min="1"
          max="1024"
          placeholder={pace === "max" ? "8" : "256"}
        />
      </Field>
      {pace === "max" && (
        <Field label="Requests a second at most">
          <input name="ratePerSecond" type="number" min="0" step="any" placeholder="no limit" />
        </Field>
      )}
      <Field label="End at the first failure">
        <input name="stop" type="checkbox" />
      </Field>
      <Field label="Selection">
        <select value={selection} onChange={(event) => setSelection(event.target.value)}>
          <option value="">none: by filter</option>
          {selections?.items.map(({ name }) => (
            <option key={name} value={name}>
              {visible(name)}
            </option>
          ))}
        </select>
      </Field>
      {selection === "" && <FilterFields />}
      <button type="submit" disabled={starting.isPending}>
        {starting.isPending ? "Planning…" : "Start"}
      </button>
      {starting.error && (
        <p className="notice bad" role="alert">
          {starting.error.message} {starting.error.hint}
        </p>
      )}
    </form>
  );
}
