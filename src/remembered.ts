const textsMax = 1_000;

/**
 * A function of a text that remembers what it made, for texts that come again and again. All are forgotten at once when
 * there are very many; long ones are not remembered, for texts come from models, too.
 *
 * @param make must give the same for the same text, and nothing that anybody changes
 */
export function remembered<Made>(make: (text: string) => Made, charactersMax = 256): (text: string) => Made {
  const known = new Map<string, Made>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const made = make(text);
    if (text.length > charactersMax) return made;
    if (known.size === textsMax) known.clear();
    known.set(text, made);
    return made;
  };
}
