// All the memory that there is: the kernel allocates nothing, and its size does not depend on the tensors'.

/** Pairs measured in one pass: they, and what the pass leaves behind, fit the first-level cache. */
export const blockPairs: i32 = 1024;
/** Pairs that the host copies in at a time. */
export const chunkPairs: i32 = 8192;

// Room for so many float64, and for three more: passes go by twos and fours, over zeros at the end.
export const primary: usize = memory.data(65_568, 16);
export const candidate: usize = memory.data(65_568, 16);

/** A block that cannot be measured where it lies: halves, widened; or with what is not finite masked. */
export const stagedPrimary: usize = memory.data(8224, 16);
export const stagedCandidate: usize = memory.data(8224, 16);

/** |c − p| of the block's pairs, as float64. */
export const errors: usize = memory.data(8224, 16);

/** The largest errors of each group of the block's pairs, in two lanes of float64. */
export const groupPairs: i32 = 32;
export const groupMaxima: usize = memory.data(512, 16);

/** The chunk's pairs that are not finite on both sides: place in the chunk, p and c, each as float64. */
export const specials: usize = memory.data(196_608, 16);

/** How many decades errors are counted in. */
export const decades: i32 = 40;
/** The greatest upper half, as i32, of a float64 below each decade, ascending; the host writes them. */
export const belowDecades: usize = memory.data(160, 16);

/** How many of the worst pairs are kept. */
export const worstMax: i32 = 10;

/** How pairs are judged. */
@unmanaged
export class Rule {
  atol: f64;
  rtol: f64;
  polygraphy: bool;
}

export const rule: Rule = changetype<Rule>(memory.data(24, 16));

/** What the passes add up, in the order in which the host reads it. */
@unmanaged
export class Totals {
  mismatches: f64;
  /** −1 until there is a pair with p ≠ 0. */
  maxRel: f64;
  errors: f64;
  squaredErrors: f64;
  primarySquares: f64;
  candidateSquares: f64;
  excess: f64;
}

export const totals: Totals = changetype<Totals>(memory.data(64, 16));
/** Pairs by the decade of their error, as float64; pairs that are equal are in none. */
export const decadeCounts: usize = memory.data(320, 16);
/** The largest errors, largest first, and the flat indices of their pairs. */
export const worstErrors: usize = memory.data(80, 16);
export const worstIndices: usize = memory.data(80, 16);
