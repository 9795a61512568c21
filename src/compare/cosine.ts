import type { Tensor } from "../tensor/tensor.js";
import { visitFinitePairs } from "./pairs.js";

/**
 * The cosine similarity of two tensors as vectors, over their finite pairs, in [−1, 1]. Two zero vectors are alike
 * (1), one zero vector is like nothing (0), as in Polygraphy's `CosineSimilarityCompareFunc`; with no finite pair
 * nothing differs (1). Each side is scaled by its largest element, so that no square leaves the range of float64.
 */
export function cosineSimilarity(primary: Tensor, candidate: Tensor): number {
  let primaryMax = 0;
  let candidateMax = 0;
  visitFinitePairs(primary, candidate, (block) => {
    for (let i = 0; i < block.count; i++) {
      primaryMax = Math.max(primaryMax, Math.abs(block.primary[i]!));
      candidateMax = Math.max(candidateMax, Math.abs(block.candidate[i]!));
    }
  });
  if (primaryMax === 0 || candidateMax === 0) return primaryMax === candidateMax ? 1 : 0;
  let products = 0;
  let primarySquares = 0;
  let candidateSquares = 0;
  visitFinitePairs(primary, candidate, (block) => {
    for (let i = 0; i < block.count; i++) {
      const p = block.primary[i]! / primaryMax;
      const c = block.candidate[i]! / candidateMax;
      products += p * c;
      primarySquares += p * p;
      candidateSquares += c * c;
    }
  });
  const cosine = products / (Math.sqrt(primarySquares) * Math.sqrt(candidateSquares));
  return Math.max(-1, Math.min(1, cosine));
}
