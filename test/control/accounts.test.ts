import { afterAll, beforeAll, expect, test } from "vitest";
import { ledger, summary } from "../../src/control/api.js";
import { addShadow, captureRow, leaseSegment, noonMs, outcomeRow } from "../store/support.js";
import { openControl, type TestControl } from "./support.js";

let control: TestControl;
let name: string;
let firstRun: number;
const minuteMs = 60_000;

/** Ten captures a minute for three minutes; in the first minute all mismatch, in the last none was judged yet. */
beforeAll(async () => {
  control = await openControl();
  const { deployment, candidate } = await addShadow(control);
  name = deployment.name;
  firstRun = candidate.liveRunId;
  for (const minute of [0, 1, 2]) {
    const captures = Array.from({ length: 10 }, (_, i) =>
      captureRow(i, { receivedAtMs: noonMs + minute * minuteMs + i }),
    );
    const { work } = await leaseSegment(control, deployment.id, captures);
    if (minute === 2) continue;
    const rows = captures.map((capture, i) =>
      outcomeRow(
        capture,
        i === 0
          ? { disposition: "candidate_error", reason: "timeout", result: "incomparable", outputs: [] }
          : minute === 0
            ? { result: "mismatch", flip: true }
            : {},
      ),
    );
    await control.store.outcomes.commitWork({ workId: work.id, lease: work.lease, judgedAtMs: noonMs, rows });
  }
});
afterAll(() => control.close());

const get = async (path: string) => {
  const answer = await control.call("GET", `/deployments/${name}${path}`);
  expect(answer.status).toBe(200);
  return answer.body;
};

test("the ledger is the contract's, and balances", async () => {
  const body = await get("/ledger");
  expect(ledger.parse(body)).toEqual(body);
  expect(body).toEqual({
    check: null,
    retention: { days: 14, keptFrom: "2026-11-20", droppedCaptures: 0 },
    received: 60,
    inFlight: 0,
    sampledOut: 30,
    notEligible: {},
    dropped: {},
    lost: 0,
    buffered: 0,
    captured: 30,
    candidates: {
      int8: {
        compared: 18,
        candidateError: { timeout: 2 },
        notReplayed: {},
        expired: 0,
        dead: 0,
        erased: 0,
        pending: 10,
      },
    },
    balanced: true,
  });
  const first = await get(`/ledger?from=${noonMs}&to=${noonMs + minuteMs}`);
  expect(first).toMatchObject({ received: 20, captured: 10, balanced: true });
});

test("the summary is the contract's, of any span of minutes", async () => {
  const body = await get("/candidates/int8/summary");
  expect(summary.parse(body)).toEqual(body);
  expect(body).toMatchObject({
    run: firstRun,
    samples: 18,
    mismatches: 9,
    diffRate: 0.5,
    decisionFlipRate: 0.5,
    errorRate: 0.1,
    verdict: null,
  });
  expect(body.diffRateInterval[0]).toBeGreaterThan(0.25);
  expect(body.diffRateInterval[1]).toBeLessThan(0.75);
  const second = await get(`/candidates/int8/summary?from=${new Date(noonMs + minuteMs).toISOString()}`);
  expect(second).toMatchObject({ samples: 9, mismatches: 0, diffRate: 0 });
});

test("another policy: the newest run is empty, the one before is there by its number", async () => {
  const body = { outputs: { "*": { rule: "exact" } } };
  await control.call("PUT", `/deployments/${name}/policy`, { body });
  const newest = await get("/candidates/int8/summary");
  expect(newest).toMatchObject({ samples: 0, diffRate: null });
  expect(newest.run).toBeGreaterThan(firstRun);
  expect(await get(`/candidates/int8/summary?run=${firstRun}`)).toMatchObject({ run: firstRun, samples: 18 });
});
