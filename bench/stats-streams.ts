/** Fractions from 0 to 1, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Puts the members into a random order, in place. */
export function shuffle<Member>(members: Member[], random: () => number): Member[] {
  for (let last = members.length - 1; last > 0; last--) {
    const chosen = Math.floor(random() * (last + 1));
    [members[last], members[chosen]] = [members[chosen]!, members[last]!];
  }
  return members;
}

/**
 * Traffic in order of time whose `events` mismatches come in incidents of a few dozen requests, half of which
 * mismatch.
 */
export function burstyTraffic(size: number, events: number, random: () => number): boolean[] {
  const requests = new Array<boolean>(size).fill(false);
  let left = events;
  while (left > 0) {
    const start = Math.floor(random() * size);
    const end = Math.min(size, start + 20 + Math.floor(random() * 30));
    for (let index = start; index < end && left > 0; index++) {
      if (requests[index] || random() < 0.5) continue;
      requests[index] = true;
      left -= 1;
    }
  }
  return requests;
}
