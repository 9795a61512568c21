/** What the words of `redacted` say of a capture. */

/** Whether what the model was asked is no longer what is recorded. */
export function isInputRedacted(redacted: readonly string[]): boolean {
  return redacted.some((word) => /^(?:input|parameter|json):/.test(word));
}

/** The outputs of the primary's recorded answer that are not what it answered. */
export function redactedOutputs(redacted: readonly string[]): string[] {
  return redacted.flatMap((word) => (word.startsWith("output:") ? [word.slice("output:".length)] : []));
}
