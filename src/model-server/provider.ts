/** onnxruntime's execution providers that are used, in the order in which they are wanted. */
export const providers = ["tensorrt", "cuda", "cpu"] as const;

export type Provider = (typeof providers)[number];

export function isProvider(text: string): text is Provider {
  return (providers as readonly string[]).includes(text);
}
