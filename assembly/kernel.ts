// The comparison kernel. The host, src/compare/wasm-kernel.ts, copies two tensors in, a chunk at a time, and reads
// the totals at the end. What the numbers mean is defined there and in src/compare/kernel.ts.
import { addBlock } from "./block";
import { countDecades } from "./decades";
import { widenHalves } from "./halves";
import { maskSpecials } from "./mask";
import {
  blockPairs,
  candidate,
  decadeCounts,
  decades,
  primary,
  rule,
  stagedCandidate,
  stagedPrimary,
  Totals,
  totals,
  worstErrors,
  worstIndices,
  worstMax,
} from "./memory";
import { collectWorst, floorOfWorst } from "./worst";

export {
  belowDecades,
  candidate,
  chunkPairs,
  decadeCounts,
  primary,
  specials,
  totals,
  worstErrors,
  worstIndices,
} from "./memory";

/** Forgets the pairs added so far, and sets how the next are judged. */
export function begin(polygraphy: bool, atol: f64, rtol: f64): void {
  rule.polygraphy = polygraphy;
  rule.atol = atol;
  rule.rtol = rtol;
  memory.fill(changetype<usize>(totals), 0, offsetof<Totals>());
  memory.fill(decadeCounts, 0, (<usize>decades) << 3);
  memory.fill(worstErrors, 0, (<usize>worstMax) << 3);
  totals.maxRel = -1;
}

// Each adds a chunk of pairs, of which the first has the flat index `first`, and returns how many of them are not
// finite on both sides: these stand in `specials`, and in no total.

export function addF32(count: i32, first: f64): i32 {
  return addChunk<f32>(count, first);
}

export function addF64(count: i32, first: f64): i32 {
  return addChunk<f64>(count, first);
}

export function addF16(count: i32, first: f64): i32 {
  return addHalves(count, first, false);
}

export function addBF16(count: i32, first: f64): i32 {
  return addHalves(count, first, true);
}

function addChunk<T>(count: i32, first: f64): i32 {
  pad<T>(count, primary, candidate);
  let listed = 0;
  for (let from = 0; from < count; from += blockPairs) {
    const offset = (<usize>from) * sizeof<T>();
    listed = add<T>(primary + offset, candidate + offset, min(blockPairs, count - from), first, from, listed);
  }
  return listed;
}

function addHalves(count: i32, first: f64, bfloat: bool): i32 {
  pad<u16>(count, primary, candidate);
  let listed = 0;
  for (let from = 0; from < count; from += blockPairs) {
    const offset = (<usize>from) << 1;
    const pairs = min(blockPairs, count - from);
    widenHalves(primary + offset, stagedPrimary, pairs, bfloat);
    widenHalves(candidate + offset, stagedCandidate, pairs, bfloat);
    listed = add<f32>(stagedPrimary, stagedCandidate, pairs, first, from, listed);
  }
  return listed;
}

/** Adds one block, the pairs from place `from` of the chunk on; of the chunk, `listed` pairs are in `specials` so far. */
function add<T>(p: usize, c: usize, pairs: i32, first: f64, from: i32, listed: i32): i32 {
  const count = (pairs + 3) & ~3;
  let largest = measure<T>(p, c, count, false);
  if (isNaN(largest)) {
    listed = maskSpecials<T>(p, c, count, from, listed);
    largest = measure<T>(stagedPrimary, stagedCandidate, count, true);
  }
  if (largest > floorOfWorst()) collectWorst(count, first + <f64>from);
  if (largest > 0) countDecades(count, largest);
  return listed;
}

/** The rule is settled outside of the loop. */
function measure<T>(p: usize, c: usize, count: i32, masked: bool): f64 {
  return rule.polygraphy ? addBlock<T>(p, c, count, true, masked) : addBlock<T>(p, c, count, false, masked);
}

/** Zeroes what lies between the last pair and the next multiple of four: pairs of zeros add nothing. */
function pad<T>(count: i32, p: usize, c: usize): void {
  for (let i = count; i & 3; i++) {
    const offset = (<usize>i) * sizeof<T>();
    store<T>(p + offset, <T>0);
    store<T>(c + offset, <T>0);
  }
}
