const charactersMax = 120;

/**
 * Foreign text for people to read: what could move the cursor, turn the direction of writing, or not be seen at all
 * shows as `\u{…}`, and long text is cut.
 */
export function printable(text: string): string {
  const cut = text.length <= charactersMax ? text : `${text.slice(0, charactersMax - 1)}…`;
  return cut.replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
