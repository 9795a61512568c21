/**
 * At most one suspect at a time per process: a work that stalled twice, or a part of one. When the process dies over
 * one of them, no other gets the blame, so neighbours of a poison request that were in the same hands are not split
 * along with it.
 */
export interface Suspects {
  /** Null: another is in hand. Call what is returned once it is done. */
  enter(): (() => void) | null;
}

export function createSuspects(): Suspects {
  let taken = false;
  return {
    enter() {
      if (taken) return null;
      taken = true;
      return () => {
        taken = false;
      };
    },
  };
}
