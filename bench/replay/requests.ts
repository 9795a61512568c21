/** What is asked and answered in this benchmark: small, since it is about times. */
export const requestBody = (id: number) =>
  Buffer.from(JSON.stringify({ id, inputs: [{ name: "x", datatype: "FP32", shape: [1], data: [1] }] }));

export const answer = JSON.stringify({
  model_name: "bench",
  outputs: [{ name: "y", datatype: "FP32", shape: [1], data: [1] }],
});

export const modelPath = "/v2/models/bench/infer";
