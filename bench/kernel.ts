import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { decadeStarts } from "../src/compare/decades.js";
import { fastestKernel } from "../src/compare/fastest-kernel.js";
import { type Measured, measure } from "../src/compare/measure.js";
import type { OutputPolicy } from "../src/compare/policy.js";
import { packageRoot } from "../src/paths.js";
import { decodeInferResponse, encodeInferResponse } from "../src/protocol/infer.js";
import { elementBytes } from "../src/tensor/dtype.js";
import { floatToFp16 } from "../src/tensor/half.js";
import type { Tensor } from "../src/tensor/tensor.js";
import type { BenchContext, BenchResult } from "./bench.js";
import { hasPython, type PythonPeer, startPython } from "./python-peer.js";
import { median, secondsOf, speedup, takeTurns } from "./timing.js";

// Ours is what a worker does with one output of two answers: all metrics of an output, histogram and worst elements
// with both values included, from tensors that lie in the bytes of two V2 binary responses. Peers get the same values
// as aligned arrays of their own. None of the times includes reading a response.

const tolerances = { atol: 1e-3, rtol: 1e-3 };
const numpyPolicy: OutputPolicy = { rule: "numpy", ...tolerances };
const polygraphyPolicy: OutputPolicy = { rule: "polygraphy", ...tolerances };

interface Case {
  name: string;
  datatype: "FP32" | "FP16";
  elements: number;
  rounds: number;
  /** Calls in one turn: of ours and of the peers. */
  repeats: { ours: number; numpy: number; allclose: number; polygraphy: number };
}

const cases: readonly Case[] = [
  { name: "f32 1 k", datatype: "FP32", elements: 1000, rounds: 41, repeats: repeats(2000, 200, 400, 3) },
  { name: "f32 150 k", datatype: "FP32", elements: 150_000, rounds: 21, repeats: repeats(20, 4, 10, 2) },
  { name: "f32 1 M", datatype: "FP32", elements: 1_000_000, rounds: 15, repeats: repeats(5, 2, 3, 1) },
  { name: "f32 16 M", datatype: "FP32", elements: 16_000_000, rounds: 5, repeats: repeats(2, 1, 1, 1) },
  { name: "f16 1 M", datatype: "FP16", elements: 1_000_000, rounds: 15, repeats: repeats(5, 2, 3, 1) },
];

function repeats(ours: number, numpy: number, allclose: number, polygraphy: number): Case["repeats"] {
  return { ours, numpy, allclose, polygraphy };
}

type PeerName = "numpy" | "allclose" | "polygraphy";

export async function bench(context: BenchContext): Promise<BenchResult> {
  const missing = ["numpy", "polygraphy"].filter((module) => !hasPython(module));
  if (missing.includes("numpy")) return { ratios: {}, missing: ["numpy", "allclose", "polygraphy"] };
  const peers: PeerName[] = ["numpy", "allclose", ...(missing.length === 0 ? (["polygraphy"] as const) : [])];
  const folder = await mkdtemp(join(tmpdir(), "understudy-bench-"));
  context.onEnd(() => rm(folder, { recursive: true, force: true }));
  const script = join(packageRoot, "bench/kernel_peer.py");
  const { atol, rtol } = tolerances;
  const python = startPython(
    script,
    [JSON.stringify([atol, rtol]), JSON.stringify([...decadeStarts])],
    context,
  );
  const speedups: Record<PeerName, number[]> = { numpy: [], allclose: [], polygraphy: [] };
  const ratios: Record<string, number> = {};
  for (const one of cases) {
    const measured = await runCase(one, peers, python, folder, context);
    if (one.elements < 150_000) {
      ratios.allclose_1k = measured.speedups.allclose!;
      continue;
    }
    for (const peer of peers) speedups[peer].push(measured.speedups[peer]!);
    if (one.elements === 16_000_000) ratios.read_bandwidth_share = measured.readBandwidthShare;
  }
  for (const peer of peers) ratios[peer] = Math.min(...speedups[peer]);
  return { ratios, missing };
}

async function runCase(
  one: Case,
  peers: readonly PeerName[],
  python: PythonPeer,
  folder: string,
  { say }: BenchContext,
): Promise<{ speedups: Partial<Record<PeerName, number>>; readBandwidthShare: number }> {
  const { name, elements, rounds } = one;
  const [primary, candidate] = tensorsOf(one);
  await loadInto(python, one, folder, primary, candidate);
  await checkResults(python, peers, name, primary, candidate);

  const ours = (policy: OutputPolicy) => () =>
    secondsOf(() => measure(primary, candidate, policy, fastestKernel), one.repeats.ours);
  const peer = (peerName: PeerName) => async () => {
    const answer = await python.ask({ do: "run", peer: peerName, name, repeats: one.repeats[peerName] });
    return answer.seconds as number;
  };
  const twin = Buffer.from(primary.data);
  const seconds = await takeTurns(
    {
      ours: ours(numpyPolicy),
      oursPolygraphy: ours(polygraphyPolicy),
      ...Object.fromEntries(peers.map((peerName) => [peerName, peer(peerName)])),
      // Comparing equal memory reads both sides and does nothing else.
      reading: () => secondsOf(() => twin.equals(primary.data), one.repeats.ours),
    } as Record<PeerName | "ours" | "oursPolygraphy" | "reading", () => number | Promise<number>>,
    rounds,
  );

  const speedups = Object.fromEntries(
    peers.map((peerName) => [
      peerName,
      speedup(seconds[peerName], peerName === "polygraphy" ? seconds.oursPolygraphy : seconds.ours),
    ]),
  );
  const bytes = 2 * elements * elementBytes(one.datatype)!;
  const shown = peers.map((peerName) => `${peerName} ${speedups[peerName]!.toFixed(1)}×`).join(", ");
  const microseconds = median(seconds.ours) * 1e6;
  say(
    `${name.padEnd(9)}  ours ${microseconds.toFixed(1)} µs, ${(bytes / microseconds / 1e3).toFixed(2)} GB/s; ahead of ${shown}`,
  );
  return { speedups, readBandwidthShare: speedup(seconds.reading, seconds.ours) };
}

/** The two tensors as they come out of two encoded responses: views into the bodies, at whatever address. */
function tensorsOf({ datatype, elements }: Case): [Tensor, Tensor] {
  const random = randomNormal(elements);
  const primary = new Float32Array(elements);
  const candidate = new Float32Array(elements);
  for (let i = 0; i < elements; i++) {
    primary[i] = random();
    candidate[i] = primary[i]! + 1e-3 * random();
  }
  return [throughResponse(datatype, primary), throughResponse(datatype, candidate)];
}

function throughResponse(datatype: Case["datatype"], values: Float32Array): Tensor {
  const numbers = datatype === "FP32" ? values : Uint16Array.from(values, floatToFp16);
  const data = new Uint8Array(numbers.buffer);
  const { body, headerLength } = encodeInferResponse(
    {
      modelName: "bench",
      modelVersion: "1",
      parameters: {},
      outputs: [{ name: "y", datatype, shape: [values.length], parameters: {}, data }],
    },
    { binary: () => true },
  );
  return decodeInferResponse(body, headerLength).outputs[0]!;
}

/** Marsaglia's polar method over a linear congruential generator: the same numbers in every run. */
function randomNormal(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return () => {
    for (;;) {
      const [x, y] = [uniform(), uniform()];
      const square = x * x + y * y;
      if (square > 0 && square < 1) return x * Math.sqrt((-2 * Math.log(square)) / square);
    }
  };
}

async function loadInto(
  python: PythonPeer,
  { name, datatype, elements }: Case,
  folder: string,
  primary: Tensor,
  candidate: Tensor,
): Promise<void> {
  const paths = { primary: join(folder, `${elements}.p`), candidate: join(folder, `${elements}.c`) };
  await writeFile(paths.primary, primary.data);
  await writeFile(paths.candidate, candidate.data);
  await python.ask({ do: "load", name, dtype: datatype === "FP32" ? "<f4" : "<f2", ...paths });
}

/** Counts and largest errors must be the same to the last bit; sums may differ by the order of their terms. */
async function checkResults(
  python: PythonPeer,
  peers: readonly PeerName[],
  name: string,
  primary: Tensor,
  candidate: Tensor,
): Promise<void> {
  const resultOf = async (peer: PeerName) => (await python.ask({ do: "result", peer, name })).result;
  const ours = measure(primary, candidate, numpyPolicy, fastestKernel);
  const theirs = (await resultOf("numpy")) as Measured;
  for (const key of Object.keys(theirs) as (keyof Measured)[]) {
    if (!isSame(key, ours[key], theirs[key])) disagree(name, `${key} of NumPy`, ours[key], theirs[key]);
  }
  const close = await resultOf("allclose");
  if (close !== (ours.mismatches === 0)) disagree(name, "np.allclose", ours.mismatches, close);
  if (!peers.includes("polygraphy")) return;
  const judged = measure(primary, candidate, polygraphyPolicy, fastestKernel);
  const polygraphy = (await resultOf("polygraphy")) as { matches: boolean; maxAbs: number; meanAbs: number };
  const agrees =
    polygraphy.matches === (judged.mismatches === 0) &&
    isNear(judged.maxAbs!, polygraphy.maxAbs, 1e-6) &&
    isNear(judged.meanAbs!, polygraphy.meanAbs, 1e-3);
  if (!agrees) disagree(name, "Polygraphy", judged, polygraphy);
}

const sums: readonly (keyof Measured)[] = ["meanAbs", "rmse", "cosine", "atolToPass"];

function isSame(key: keyof Measured, ours: unknown, theirs: unknown): boolean {
  if (sums.includes(key)) return isNear(ours as number, theirs as number, 1e-12);
  return isDeepStrictEqual(ours, theirs);
}

function isNear(a: number, b: number, relative: number): boolean {
  return Math.abs(a - b) <= relative * Math.abs(b);
}

function disagree(name: string, what: string, ours: unknown, theirs: unknown): never {
  throw new Error(`${name}: ${what} is ${JSON.stringify(theirs)}, ours ${JSON.stringify(ours)}`);
}
