import { expect, test } from "vitest";
import {
  type Sighting,
  type SignatureMark,
  type SignatureState,
  samplesToMiss,
  signatureState,
} from "../../src/compare/signature-state.js";

const said = (state: SignatureMark["state"], at = 0, until: number | null = null): SignatureMark => ({
  state,
  acceptedUntilMs: until,
  updatedAtMs: at,
});

/** Seen `count` times in `samples`, from `first` to `last`. */
const seen = (samples: number, count: number, first: number, last = first): Sighting => ({
  samples,
  count,
  firstSeenMs: first,
  lastSeenMs: last,
});
const gone = (samples: number): Sighting => ({ samples, count: 0, firstSeenMs: null, lastSeenMs: null });

// Each row: what was said, at what time; the live runs, oldest first; what it is at 1000.
test.each<[string, SignatureMark, Sighting[], SignatureState]>([
  ["nobody has looked at it", said("new"), [seen(10, 1, 5)], "new"],
  ["nobody has, and an earlier run had it", said("new"), [seen(10, 1, 5), seen(10, 1, 20)], "new"],
  ["known", said("known", 50), [seen(10, 1, 5, 90)], "known"],
  ["accepted without an end", said("accepted", 50), [seen(10, 1, 5)], "accepted"],
  ["accepted until later", said("accepted", 50, 1001), [seen(10, 1, 5)], "accepted"],
  ["accepted until now", said("accepted", 50, 1000), [seen(10, 1, 5)], "known"],
  ["gone, but too few samples to say so", said("known", 50), [seen(10, 1, 5), gone(9)], "known"],
  ["gone", said("known", 50), [seen(10, 1, 5), gone(10)], "fixed"],
  ["gone, accepted before", said("accepted", 50, 60), [seen(10, 1, 5), gone(10)], "fixed"],
  ["gone, by the rule of three", said("known", 50), [seen(1000, 100, 5), gone(30)], "fixed"],
  ["not gone yet, by the rule of three", said("known", 50), [seen(1000, 100, 5), gone(29)], "known"],
  [
    "gone over a run that saw too little",
    said("known", 50),
    [seen(10, 1, 5), gone(0), gone(3), gone(10)],
    "fixed",
  ],
  ["back again", said("known", 50), [seen(10, 1, 5), gone(10), seen(10, 1, 70)], "regressed"],
  [
    "back for good",
    said("known", 50),
    [seen(10, 1, 5), gone(10), seen(9, 1, 70), seen(9, 1, 80)],
    "regressed",
  ],
  ["back, and gone again", said("known", 50), [seen(10, 1, 5), gone(10), seen(9, 1, 70), gone(9)], "fixed"],
  [
    "back, and known since",
    said("known", 75),
    [seen(10, 1, 5), gone(10), seen(9, 1, 70, 90), seen(9, 1, 95)],
    "known",
  ],
  ["back although never missed", said("known", 50), [seen(10, 1, 5), gone(2), seen(10, 1, 70)], "known"],
  ["called fixed", said("fixed", 50), [seen(10, 1, 5, 49)], "fixed"],
  ["called fixed, and seen since", said("fixed", 50), [seen(10, 1, 5, 51)], "regressed"],
  ["called fixed, and seen in a later run", said("fixed", 50), [seen(10, 1, 5), seen(3, 1, 70)], "regressed"],
])("%s", (_, mark, sightings, state) => {
  expect(signatureState(mark, sightings, 1000)).toBe(state);
});

test("samples to miss it in: three times those per sighting, at most all", () => {
  expect(samplesToMiss({ samples: 1000, count: 1 })).toBe(1000);
  expect(samplesToMiss({ samples: 1000, count: 3 })).toBe(1000);
  expect(samplesToMiss({ samples: 1000, count: 4 })).toBe(750);
  expect(samplesToMiss({ samples: 1000, count: 1000 })).toBe(3);
});
