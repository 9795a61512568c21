const barMax = 30;

/** One line: a bar as wide as the terminal allows, and words. @param share done, 0 to 1 */
export function progressBar(words: string, share: number, columns: number): string {
  const room = Math.min(barMax, columns - words.length - 5);
  if (room < 5) return words;
  const full = Math.round(share * room);
  return `[${"#".repeat(full)}${"-".repeat(room - full)}]  ${words}`;
}
