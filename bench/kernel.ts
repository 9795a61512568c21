import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { decadeStarts } from "../src/compare/decades.js";
import { fastestKernel } from "../src/compare/fastest-kernel.js";
import { type Measured, measure } from "../src/compare/measure.js";
import { packageRoot } from "../src/paths.js";
import { decodeInferResponse, encodeInferResponse } from "../src/protocol/infer.js";
import { elementBytes } from "../src/tensor/dtype.js";
import { floatToFp16 } from "../src/tensor/half.js";
import type { Tensor } from "../src/tensor/tensor.js";
import type { BenchContext, BenchResult } from "./bench.js";
import { hasPython, type PythonPeer, startPython } from "./python-peer.js";
import { type Contestant, fastest, secondsOf, speedup, type Turn, takeTurns } from "./timing.js";

// Ours is what the product does with an output: all metrics, histogram and worst elements with their indices and values,
// from tensors that lie in the bytes of two V2 binary responses; copying them into WebAssembly counts. Peers get the
// same values as aligned arrays of their own. No time includes finding the tensors in a response.

const tolerances = { atol: 1e-3, rtol: 1e-3 };

interface Case {
  name: string;
  datatype: "FP32" | "FP16";
  elements: number;
  rounds: number;
  turn: Turn;
}

// What is timed lasts a millisecond or less where possible, so that some of it has the processor to itself.
const cases: readonly Case[] = [
  { name: "f32 1 k", datatype: "FP32", elements: 1000, rounds: 101, turn: { times: 10, calls: 50 } },
  { name: "f32 150 k", datatype: "FP32", elements: 150_000, rounds: 41, turn: { times: 5, calls: 1 } },
  { name: "f32 1 M", datatype: "FP32", elements: 1_000_000, rounds: 21, turn: { times: 3, calls: 1 } },
  { name: "f32 16 M", datatype: "FP32", elements: 16_000_000, rounds: 5, turn: { times: 1, calls: 1 } },
  { name: "f16 1 M", datatype: "FP16", elements: 1_000_000, rounds: 21, turn: { times: 3, calls: 1 } },
];

const largestElements = Math.max(...cases.map(({ elements }) => elements));

/** Polygraphy takes a hundred times as long. */
const once: Turn = { times: 1, calls: 1 };

const peerNames = ["numpy", "allclose", "polygraphy"] as const;
type PeerName = (typeof peerNames)[number];
const howToInstall: Record<PeerName, string> = {
  numpy: "python3 -m pip install numpy",
  allclose: "python3 -m pip install numpy",
  polygraphy: "python3 -m pip install polygraphy numpy",
};
type Peers = Partial<Record<PeerName, PythonPeer>>;

export async function bench(context: BenchContext): Promise<BenchResult> {
  const present = {
    numpy: hasPython("numpy"),
    allclose: hasPython("numpy"),
    polygraphy: hasPython("polygraphy"),
  };
  const peers = startPeers(
    peerNames.filter((name) => present[name]),
    context,
  );
  const folder = await mkdtemp(join(tmpdir(), "understudy-bench-"));
  context.onEnd(() => rm(folder, { recursive: true, force: true }));
  const ratios: Record<string, number> = {};
  for (const one of cases) {
    const { speedups, readBandwidthShare } = await runCase(one, peers, folder, context);
    if (one.elements < 150_000) {
      if (speedups.allclose !== undefined) ratios.allclose_1k = speedups.allclose;
      continue;
    }
    for (const [name, ratio] of Object.entries(speedups)) {
      ratios[name] = Math.min(ratio, ratios[name] ?? Infinity);
    }
    if (one.elements === largestElements) ratios.read_bandwidth_share = readBandwidthShare;
  }
  const missing = peerNames.filter((name) => !present[name]);
  for (const name of missing) context.say(`${name} was not there: ${howToInstall[name]}`);
  return { ratios, missing };
}

/** A process each, so that what one leaves behind in the allocator is neither help nor hindrance to another. */
function startPeers(names: readonly PeerName[], context: BenchContext): Peers {
  const script = join(packageRoot, "bench/kernel_peer.py");
  const settings = [JSON.stringify([tolerances.atol, tolerances.rtol]), JSON.stringify([...decadeStarts])];
  return Object.fromEntries(names.map((name) => [name, startPython(script, [name, ...settings], context)]));
}

async function runCase(
  one: Case,
  peers: Peers,
  folder: string,
  { say }: BenchContext,
): Promise<{ speedups: Partial<Record<PeerName, number>>; readBandwidthShare: number }> {
  const { name, datatype, elements, rounds, turn } = one;
  const [primary, candidate] = tensorsOf(one);
  const present = Object.entries(peers) as [PeerName, PythonPeer][];
  for (const [, peer] of present) await loadInto(peer, one, folder, primary, candidate);
  await checkResults(peers, name, primary, candidate);

  const ours = (rule: "numpy" | "polygraphy") => {
    const policy = { rule, ...tolerances };
    return () => secondsOf(() => measure(primary, candidate, policy, fastestKernel), turn);
  };
  const twin = Buffer.from(primary.data);
  const contestants: Record<string, Contestant> = {
    ours: ours("numpy"),
    oursPolygraphy: ours("polygraphy"),
    // Comparing equal memory reads both sides and does nothing else.
    reading: () => secondsOf(() => twin.equals(primary.data), turn),
  };
  for (const [peerName, peer] of present) {
    contestants[peerName] = async () =>
      (await peer.ask({ do: "run", ...(peerName === "polygraphy" ? once : turn) })).seconds as number;
  }
  const seconds = await takeTurns(contestants, rounds);

  const speedups = Object.fromEntries(
    present.map(([peerName]) => [
      peerName,
      speedup(seconds[peerName]!, peerName === "polygraphy" ? seconds.oursPolygraphy! : seconds.ours!),
    ]),
  );
  const microseconds = fastest(seconds.ours!) * 1e6;
  const speed = (2 * elements * elementBytes(datatype)!) / microseconds / 1e3;
  const readBandwidthShare = speedup(seconds.reading!, seconds.ours!);
  // Smaller tensors are read from caches.
  const share =
    elements === largestElements ? `, ${(100 * readBandwidthShare).toFixed(0)} % of the read bandwidth` : "";
  const ahead = Object.entries(speedups).map(([peerName, ratio]) => `${peerName} ${ratio.toFixed(1)}×`);
  say(
    `${name.padEnd(9)}  ours ${microseconds.toFixed(1)} µs, ${speed.toFixed(2)} GB/s${share}; ahead of ${ahead.join(", ") || "nobody"}`,
  );
  return { speedups, readBandwidthShare };
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
  peer: PythonPeer,
  { datatype, elements }: Case,
  folder: string,
  primary: Tensor,
  candidate: Tensor,
): Promise<void> {
  const paths = { primary: join(folder, `${elements}.p`), candidate: join(folder, `${elements}.c`) };
  await writeFile(paths.primary, primary.data);
  await writeFile(paths.candidate, candidate.data);
  await peer.ask({ do: "load", dtype: datatype === "FP32" ? "<f4" : "<f2", ...paths });
}

/** Counts and largest errors must be the same to the last bit; sums may differ by the order of their terms. */
async function checkResults(
  { numpy, allclose, polygraphy }: Peers,
  name: string,
  primary: Tensor,
  candidate: Tensor,
): Promise<void> {
  const resultOf = async (peer: PythonPeer) => (await peer.ask({ do: "result" })).result;
  const ours = measure(primary, candidate, { rule: "numpy", ...tolerances }, fastestKernel);
  if (numpy) {
    const theirs = (await resultOf(numpy)) as Measured;
    for (const key of Object.keys(theirs) as (keyof Measured)[]) {
      if (!isSame(key, ours[key], theirs[key])) disagree(name, `${key} of NumPy`, ours[key], theirs[key]);
    }
  }
  if (allclose) {
    const theirs = await resultOf(allclose);
    if (theirs !== (ours.mismatches === 0)) disagree(name, "np.allclose", ours.mismatches, theirs);
  }
  if (polygraphy) {
    const judged = measure(primary, candidate, { rule: "polygraphy", ...tolerances }, fastestKernel);
    const theirs = (await resultOf(polygraphy)) as { matches: boolean; maxAbs: number; meanAbs: number };
    // It reckons in float32.
    const agrees =
      theirs.matches === (judged.mismatches === 0) &&
      isNear(judged.maxAbs!, theirs.maxAbs, 1e-6) &&
      isNear(judged.meanAbs!, theirs.meanAbs, 1e-3);
    if (!agrees) disagree(name, "Polygraphy", judged, theirs);
  }
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
