import { elementBytes, elementCount } from "../tensor/dtype.js";
import type { Datatype, Tensor } from "../tensor/tensor.js";
import { WebAssembly } from "../webassembly.js";
import { decadeStarts } from "./decades.js";
import { kernelBinary } from "./generated/kernel-binary.js";
import { type ElementRule, type Kernel, type Measurement, worstMax } from "./kernel.js";
import { visitFinitePairs } from "./pairs.js";
import { plainKernel } from "./plain-kernel.js";
import { addNonFinite, isPrecise, measurementOf, newTotals, type Totals } from "./totals.js";
import { offerWorst } from "./worst.js";

/** Where in the kernel's memory something begins. */
type Place = { readonly value: number };

/** Adds the next pairs; returns how many of them are not finite on both sides. */
type AddChunk = (count: number, firstIndex: number) => number;

/** What assembly/kernel.ts exports; assembly/memory.ts says what lies where. */
interface KernelExports {
  memory: { buffer: ArrayBuffer };
  chunkPairs: Place;
  primary: Place;
  candidate: Place;
  belowDecades: Place;
  totals: Place;
  decadeCounts: Place;
  worstErrors: Place;
  worstIndices: Place;
  specials: Place;
  begin(polygraphy: boolean, atol: number, rtol: number): void;
  addF32: AddChunk;
  addF64: AddChunk;
  addF16: AddChunk;
  addBF16: AddChunk;
}

/**
 * The kernel in WebAssembly with 128-bit SIMD: FP32, FP64, FP16 and BF16 in one pass over blocks that stay in the
 * first-level cache; other datatypes as {@link plainKernel} measures them. Elements are judged in float64 throughout,
 * so all but the sums is to the last bit what the plain kernel finds. A sum of n terms of one sign has a relative
 * error of at most (515 + n / 1024)·2⁻⁵³; the cosine similarity an absolute one of at most 34 times that.
 *
 * Tensors are copied in by chunks, to a memory of 384 KiB that each call uses again.
 *
 * @returns null where there is no WebAssembly SIMD
 */
export function createWasmKernel(): Kernel | null {
  if (!WebAssembly.validate(kernelBinary)) return null;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(kernelBinary));
  const wasm = exports as KernelExports;
  const { buffer } = wasm.memory;
  writeDecades(new Int32Array(buffer, wasm.belowDecades.value, decadeStarts.length));
  const adders: Partial<Record<Datatype, AddChunk>> = {
    FP32: wasm.addF32,
    FP64: wasm.addF64,
    FP16: wasm.addF16,
    BF16: wasm.addBF16,
  };
  const bytes = new Uint8Array(buffer);
  const chunkPairs = wasm.chunkPairs.value;
  const primaryAt = wasm.primary.value;
  const candidateAt = wasm.candidate.value;
  const specials = new Float64Array(buffer, wasm.specials.value, 3 * chunkPairs);
  const decades = new Float64Array(buffer, wasm.decadeCounts.value, decadeStarts.length);
  const readTotals = totalsReader(wasm);

  return (primary: Tensor, candidate: Tensor, rule: ElementRule): Measurement => {
    const add = adders[primary.datatype];
    if (add === undefined) return plainKernel(primary, candidate, rule);
    const count = elementCount(primary.shape);
    const size = elementBytes(primary.datatype)!;
    const totals = newTotals(decades);
    wasm.begin(rule.rule === "polygraphy", rule.atol, rule.rtol);
    for (let first = 0; first < count; first += chunkPairs) {
      const end = Math.min(count, first + chunkPairs);
      bytes.set(slice(primary.data, first * size, end * size), primaryAt);
      bytes.set(slice(candidate.data, first * size, end * size), candidateAt);
      const nonFinite = add(end - first, first);
      totals.pairs += end - first - nonFinite;
      for (let i = 0; i < 3 * nonFinite; i += 3) {
        addNonFinite(totals, first + specials[i]!, specials[i + 1]!, specials[i + 2]!, rule);
      }
    }
    readTotals(totals);
    totals.products = productsOf(totals, primary, candidate);
    return measurementOf(totals, rule);
  };
}

/** As `subarray`, which takes longer to make a view than to copy a small tensor. */
function slice(data: Uint8Array, start: number, end: number): Uint8Array {
  return start === 0 && end === data.length ? data : data.subarray(start, end);
}

/**
 * Σpc, from (c − p)² = p² + c² − 2pc: the kernel is a tenth faster without adding it up. The rounding is that of the
 * larger sum of squares, so where one is much the larger, which is rare, the products are added after all: by blocks,
 * as the kernel adds.
 */
function productsOf(totals: Totals, primary: Tensor, candidate: Tensor): number {
  const { primarySquares, candidateSquares, squaredErrors } = totals;
  // Without a cosine nobody asks.
  if (!isPrecise(primarySquares) || !isPrecise(candidateSquares)) return 0;
  const ratio = primarySquares / candidateSquares;
  const derived = (primarySquares + candidateSquares - squaredErrors) / 2;
  if (ratio > 2 ** -10 && ratio < 2 ** 10 && Number.isFinite(derived)) return derived;
  let products = 0;
  visitFinitePairs(primary, candidate, (block) => {
    let sum = 0;
    for (let i = 0; i < block.count; i++) sum += block.primary[i]! * block.candidate[i]!;
    products += sum;
  });
  return products;
}

/** For each decade the greatest upper half of a number below it. */
function writeDecades(belowDecades: Int32Array): void {
  const halves = new Int32Array(decadeStarts.buffer);
  for (let i = 0; i < belowDecades.length; i++) belowDecades[i] = halves[2 * i + 1]! - 1;
}

/** Adds what the kernel has summed up to what the host has of pairs that are not finite. */
function totalsReader(wasm: KernelExports): (totals: Totals) => void {
  const { buffer } = wasm.memory;
  const sums = new Float64Array(buffer, wasm.totals.value, 7);
  const worstErrors = new Float64Array(buffer, wasm.worstErrors.value, worstMax);
  const worstIndices = new Float64Array(buffer, wasm.worstIndices.value, worstMax);
  return (totals) => {
    totals.mismatches += sums[0]!;
    totals.maxRel = sums[1]!;
    totals.errors = sums[2]!;
    totals.squaredErrors = sums[3]!;
    totals.primarySquares = sums[4]!;
    totals.candidateSquares = sums[5]!;
    totals.excess = sums[6]!;
    totals.maxAbs = worstErrors[0]!;
    const { worst } = totals;
    const hasOthers = worst.elements.length > 0;
    for (let i = 0; i < worstMax && worstErrors[i]! > 0; i++) {
      if (hasOthers) offerWorst(worst, worstIndices[i]!, worstErrors[i]!);
      else worst.elements.push({ index: worstIndices[i]!, absError: worstErrors[i]! });
    }
  };
}
