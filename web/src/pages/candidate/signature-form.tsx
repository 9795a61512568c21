import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { Signature, SignatureUpdate } from "../../../../src/control/api.js";
import { type ApiProblem, patch, path } from "../../api";

const dayMs = 86_400_000;

const choices: Record<string, () => SignatureUpdate> = {
  "a known difference": () => ({ state: "known" }),
  "accepted for a week": () => ({ state: "accepted", until: Date.now() + 7 * dayMs }),
  "accepted for 30 days": () => ({ state: "accepted", until: Date.now() + 30 * dayMs }),
  "accepted for good": () => ({ state: "accepted" }),
  fixed: () => ({ state: "fixed" }),
  "new again": () => ({ state: "new" }),
};

/** Says what a group of divergences is; in force at once. */
export function SignatureForm({ base, item }: { base: string; item: Signature }) {
  const queries = useQueryClient();
  const saying = useMutation<Signature, ApiProblem, string>({
    networkMode: "always",
    mutationFn: (choice) => patch(base + path`/signatures/${item.id}`, choices[choice]!()),
    onSettled: () =>
      queries.invalidateQueries({
        predicate: ({ queryKey }) => String(queryKey[0]).startsWith(`${base}/signatures`),
      }),
  });
  return (
    <>
      <select
        aria-label={`What ${item.id} is`}
        value=""
        disabled={saying.isPending}
        onChange={(event) => saying.mutate(event.target.value)}
      >
        <option value="">say…</option>
        {Object.keys(choices).map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
      {saying.error && <p role="alert">{saying.error.message}</p>}
    </>
  );
}
