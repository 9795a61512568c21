import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { noiseFacts } from "../../src/compare/noise.js";
import { defaultPolicy } from "../../src/compare/policy.js";
import type { Comparison } from "../../src/compare/types.js";
import { cliMain } from "../../src/paths.js";
import {
  captureRow,
  leaseSegment,
  newCandidate,
  newDeployment,
  outcomeRow,
  outputComparison,
} from "../store/support.js";
import { openControl, type TestControl } from "./support.js";

const run = promisify(execFile);

let control: TestControl;
beforeAll(async () => {
  control = await openControl();
});
afterAll(() => control.close());

let names = 0;

/** A deployment whose control is off by these errors, one comparison each; `counts` is an INT32 output. */
async function addMeasured(errors: { scores: number; counts?: number }[]) {
  const name = `measured-${++names}`;
  const deployment = await control.store.registry.createDeployment(
    newDeployment({
      name,
      policy: {
        outputs: { ...defaultPolicy.outputs, scores: { rule: "exact", decision: { type: "argmax" } } },
      },
    }),
  );
  const metadata = {
    outputs: [
      { name: "counts", datatype: "INT32" },
      { name: "odd", datatype: "FP8" },
    ],
  };
  await control.store.registry.addCandidate(name, newCandidate({ metadata }));
  if (errors.length > 0) {
    const captures = errors.map((_, row) => captureRow(row));
    const { work } = await leaseSegment(control, deployment.id, captures);
    const rows = captures.map((capture, i) => {
      const { scores, counts = 0 } = errors[i]!;
      const outputs = [
        outputComparison({ output: "scores", shape: [1, 1 + (i % 2)], maxAbs: scores }),
        outputComparison({ output: "counts", shape: [], maxAbs: counts }),
      ];
      const noise: Comparison = {
        ...{ result: "match", kind: null, signature: null, flip: null, maxAbs: null, maxRel: null },
        ...{ outputs, parameters: [] },
      };
      const row = outcomeRow(capture);
      return { ...row, facts: [...row.facts, ...noiseFacts(noise)] };
    });
    await control.store.outcomes.commitWork({
      workId: work.id,
      lease: work.lease,
      judgedAtMs: Date.now(),
      rows,
    });
  }
  return name;
}

const proposalOf = async (name: string) =>
  (await control.call("GET", `/deployments/${name}/candidates/int8/policy-proposal`)).body;

describe("a policy is proposed", () => {
  test("from the noise of each output over all its shapes; its decision stays", async () => {
    const name = await addMeasured([{ scores: 0.001 }, { scores: 0.0023, counts: 1 }, { scores: 0 }]);
    const proposal = await proposalOf(name);
    expect(proposal.measured).toBe(true);
    expect(proposal.policy.outputs).toEqual({
      "*": defaultPolicy.outputs["*"],
      scores: { rule: "numpy", atol: 0.005, rtol: 0, decision: { type: "argmax" } },
      counts: { rule: "numpy", atol: 2, rtol: 0 },
    });
    expect(proposal.reasons.join("\n")).toMatch(/scores: .*0\.0023/);
    // What is proposed can be put in force as it is.
    const put = await control.call("PUT", `/deployments/${name}/policy`, { body: proposal.policy });
    expect(put.status).toBe(200);
  });

  test("exact where the control never differed", async () => {
    const { policy, reasons } = await proposalOf(await addMeasured([{ scores: 0 }]));
    expect(policy.outputs.scores.rule).toBe("exact");
    expect(reasons.join("\n")).toMatch(/noise is 0/);
  });

  test("not at all where noise was not measured", async () => {
    const { measured, policy, reasons } = await proposalOf(await addMeasured([]));
    expect(measured).toBe(false);
    expect(policy.outputs.scores).toEqual({ rule: "exact", decision: { type: "argmax" } });
    expect(reasons.join("\n")).toMatch(/not measured/);
  });
});

describe("understudy policy propose", () => {
  /** Exit code and what was printed. */
  async function propose(...args: string[]) {
    const env = { ...process.env, UNDERSTUDY_CONTROL_URL: control.origin };
    const command = ["policy", "propose", ...args, "--candidate", "int8"];
    const failed = (error: { code: number; stdout: string; stderr: string }) => error;
    return run(process.execPath, [cliMain, ...command], { env }).then(
      (done) => ({ code: 0, ...done }),
      failed,
    );
  }

  test("tells the reasoning and the policy; writes it for what comes next", async () => {
    const folder = await mkdtemp(join(tmpdir(), "understudy-propose-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const name = await addMeasured([{ scores: 0.25 }]);
    const shown = await propose(name);
    expect(shown).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/scores: .*0\.25[\s\S]*"atol": 0\.5/),
    });
    const file = join(folder, "proposed.json");
    const written = await propose(name, "--write", file, "--json");
    const policy = JSON.parse(await readFile(file, "utf8"));
    expect(policy.outputs.scores.atol).toBe(0.5);
    expect(JSON.parse(written.stdout)).toEqual(await proposalOf(name));
    expect(written.stderr).toContain("understudy policy try");
  });

  test("without noise writes nothing, and says why", async () => {
    const name = await addMeasured([]);
    const { code, stdout, stderr } = await propose(name, "--write", "/nowhere/at/all.json");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/not measured/);
    expect(await propose(name)).toMatchObject({ code: 0, stdout: expect.stringMatching(/not measured/) });
  });

  test.each([
    ["a deployment that there is not", ["nobody"], /nobody/],
    ["a file that cannot be written", [null, "--write", "/nowhere/at/all.json"], /cannot be written/],
  ])("%s is 2", async (_, args, message) => {
    const name = await addMeasured([{ scores: 1 }]);
    const { code, stderr } = await propose(...args.map((arg) => arg ?? name));
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});
