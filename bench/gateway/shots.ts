import { modelName } from "./product.js";
import type { Shot } from "./wrk.js";

const path = `/v2/models/${modelName}/infer`;

/** What the upstream answers to everything: ten numbers, as a small classifier would. */
export const answer = JSON.stringify({
  model_name: modelName,
  model_version: "1",
  outputs: [
    {
      name: "y",
      datatype: "FP32",
      shape: [1, 10],
      data: Array.from({ length: 10 }, (_, index) => index / 10),
    },
  ],
});

/** About 6 kB of JSON. */
export function smallShot(): Shot {
  const random = randomUniform(1);
  const data = Array.from({ length: 630 }, () => Number((2 * random() - 1).toFixed(6)));
  const inputs = [{ name: "x", datatype: "FP32", shape: [1, data.length], data }];
  return {
    path,
    headers: { "Content-Type": "application/json" },
    body: Buffer.from(JSON.stringify({ inputs })),
    answer,
  };
}

/** 600 kB in the binary extension: an image as 3 × 224 × 224 numbers. */
export function largeShot(): Shot {
  const random = randomUniform(2);
  const values = Float32Array.from({ length: 3 * 224 * 224 }, random);
  const binary = Buffer.from(values.buffer);
  const input = {
    name: "x",
    datatype: "FP32",
    shape: [1, 3, 224, 224],
    parameters: { binary_data_size: binary.length },
  };
  const head = Buffer.from(JSON.stringify({ inputs: [input] }));
  return {
    path,
    headers: {
      "Content-Type": "application/octet-stream",
      "Inference-Header-Content-Length": String(head.length),
    },
    body: Buffer.concat([head, binary]),
    answer,
  };
}

/** A linear congruential generator: the same numbers in every run. */
function randomUniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
