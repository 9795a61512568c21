/** A piece of foreign text that is safe to store and show: at most 500 characters, without control and format characters. */
export function excerpt(text: string): string {
  return text.slice(0, 500).replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, "\ufffd");
}
