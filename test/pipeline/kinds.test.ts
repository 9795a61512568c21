import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { comparisonKinds } from "../../src/compare/types.js";
import type { ComparisonDetail, ComparisonPage, Ledger, Summary } from "../../src/control/api.js";
import { eventually, type Product, startProduct } from "../support/product.js";
import { bodyBytesMax, type Case, cases, policy } from "./cases.js";
import { type Act, type Model, requestWith, startModel } from "./model.js";

const candidatePath = "/deployments/kinds/candidates/odd";
const numbered = cases.map((of, number) => ({ ...of, number }));
/** How many cases have what is asked for. */
const casesThat = (has: (of: Case) => boolean) => cases.filter(has).length;
const tally = (words: readonly string[]) => {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
};

describe("every kind of difference and of failure, through gateway, queue and Postgres", () => {
  let product: Product;
  let primary: Model;
  let candidate: Model;
  let ledger: Ledger;
  /** By the tag that the request came with. */
  const details = new Map<string, ComparisonDetail>();
  const served = new Map<string, { status: number; text: string }>();

  beforeAll(async () => {
    primary = await startModel("kinds", (number) => cases[number]!.primary);
    candidate = await startModel("kinds", (number) => cases[number]!.candidate);
    product = await startProduct([], {
      // Enough for three attempts with their pauses, on a machine that is busy.
      env: { UNDERSTUDY_REPLAY_TIMEOUT_MS: "3000", UNDERSTUDY_BODY_BYTES_MAX: String(bodyBytesMax) },
    });
    await post("/deployments", { name: "kinds", primary: { url: primary.url }, policy });
    await post("/deployments/kinds/candidates", { name: "odd", url: candidate.url, model: "kinds" });
    await eventually(
      async () => (await fetch(`${product.gateway}/v2/models/kinds`)).status,
      (status) => status === 200,
    );

    for (const { name, number } of numbered) {
      const answer = await fetch(`${product.gateway}/v2/models/kinds/infer`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-request-id": name },
        body: requestWith(number),
      });
      served.set(name, { status: answer.status, text: await answer.text() });
    }
    ledger = await eventually(
      () => product.api<Ledger>("/deployments/kinds/ledger"),
      ({ captured, inFlight, buffered, candidates }) =>
        captured === cases.length && inFlight + buffered === 0 && candidates.odd?.pending === 0,
      { withinMs: 120_000 },
    );
    const { items } = await product.api<ComparisonPage>(`${candidatePath}/comparisons?limit=500`);
    for (const { id } of items) {
      const detail = await product.api<ComparisonDetail>(`/comparisons/${id}`);
      details.set(detail.request?.tags["x-request-id"] ?? id, detail);
    }
    expect(items.length).toBe(cases.length);
  }, 300_000);

  afterAll(async () => {
    await product?.remove();
    await primary?.close();
    await candidate?.close();
  });

  async function post(path: string, body: object): Promise<void> {
    const response = await fetch(`${product.control}/api/v1${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(response.status, await response.text()).toBe(201);
  }

  test.each(numbered)(
    "$name: $result $kind",
    ({ name, number, attempts, outputs, disposition, reason, result, kind }) => {
      const detail = details.get(name);
      expect(detail).toMatchObject({
        disposition,
        reason,
        result,
        kind,
        deployment: "kinds",
        candidate: "odd",
      });
      const differing = detail!.outputs.filter((output) => output.kind !== null);
      expect(Object.fromEntries(differing.map((output) => [output.name, output.kind]))).toEqual(outputs);
      expect(detail!.signature === null).toBe(result !== "mismatch");
      expect(detail!.parameters.length > 0).toBe(kind === "parameters");
      expect(detail!.message !== null, "what was wrong is told").toBe(
        result === "incomparable" || kind === "undecodable",
      );

      // It came to this because each server did what it was to do, and only as often as it should.
      expect(primary.played.get(number)).toBe(1);
      expect(candidate.played.get(number)).toBe(attempts);
      if (disposition === "candidate_error") {
        expect(detail!.attempts.map(({ failure }) => failure)).toEqual(Array(attempts).fill(reason));
        expect(detail!.candidateMs).toBeNull();
      }
    },
  );

  test("no kind is left out, and none goes unnamed", () => {
    expect(new Set(cases.map(({ kind }) => kind))).toEqual(new Set([...comparisonKinds, null]));
    expect([...details.keys()].sort()).toEqual(cases.map(({ name }) => name).sort());
  });

  test("clients got the primary's answers, whatever the candidate did", async () => {
    for (const { name, primary: act } of cases) expect(served.get(name), name).toEqual(await answerOf(act));
  });

  test("the ledger accounts for every request, once", () => {
    const failures = cases.flatMap(({ disposition, reason }) =>
      disposition === "candidate_error" ? [reason!] : [],
    );
    // When it was last checked is the schedule's to say.
    const { check: _, ...account } = ledger;
    expect(account).toEqual({
      received: cases.length,
      inFlight: 0,
      sampledOut: 0,
      notEligible: {},
      dropped: {},
      lost: 0,
      buffered: 0,
      captured: cases.length,
      candidates: {
        odd: {
          compared: casesThat(({ disposition }) => disposition === "compared"),
          candidateError: tally(failures),
          notReplayed: {},
          expired: 0,
          dead: 0,
          erased: 0,
          pending: 0,
        },
      },
      balanced: true,
      retention: expect.objectContaining({ days: expect.any(Number) }),
    });
  });

  test("the summary counts the same comparisons", async () => {
    const summary = await product.api<Summary>(`${candidatePath}/summary`);
    const mismatches = casesThat(({ result }) => result === "mismatch");
    const samples = mismatches + casesThat(({ result }) => result === "match");
    const errors = casesThat(({ disposition }) => disposition === "candidate_error");
    expect(summary).toMatchObject({
      samples,
      mismatches,
      ignored: casesThat(({ result }) => result === "ignored"),
      incomparable: casesThat(
        ({ result, disposition }) => result === "incomparable" && disposition === "compared",
      ),
      diffRate: mismatches / samples,
      errorRate: errors / cases.length,
    });
    for (const name of ["scores", "label", "surplus", "debug"]) {
      const kinds = cases.flatMap(({ outputs }) => outputs[name] ?? []);
      expect(summary.outputs.find((output) => output.name === name)?.kinds, name).toEqual(tally(kinds));
    }
  });
});

/** What an act sends, seen without anything in between. */
async function answerOf(act: Act): Promise<{ status: number; text: string }> {
  const model = await startModel("alone", () => act);
  const answer = await fetch(model.url, { method: "POST", body: requestWith(0) });
  const text = await answer.text();
  await model.close();
  return { status: answer.status, text };
}
