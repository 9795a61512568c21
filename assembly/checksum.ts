// XXH64, seed 0, as its specification has it (doc/xxhash_spec.md of the xxHash project), over bytes where they lie in a
// memory that the host gives. For it to be told in pieces, all but the last are whole stripes.

const prime1: u64 = 0x9e3779b185ebca87;
const prime2: u64 = 0xc2b2ae3d27d4eb4f;
const prime3: u64 = 0x165667b19e3779f9;
const prime4: u64 = 0x85ebca77c2b2ae63;
const prime5: u64 = 0x27d4eb2f165667c5;

const stripeBytes: usize = 32;

let first: u64 = 0;
let second: u64 = 0;
let third: u64 = 0;
let fourth: u64 = 0;

export function begin(): void {
  first = prime1 + prime2;
  second = prime2;
  third = 0;
  fourth = 0 - prime1;
}

/** Takes in whole stripes. */
export function takeStripes(from: usize, to: usize): void {
  let a = first;
  let b = second;
  let c = third;
  let d = fourth;
  for (let at = from; at < to; at += stripeBytes) {
    a = round(a, load<u64>(at));
    b = round(b, load<u64>(at, 8));
    c = round(c, load<u64>(at, 16));
    d = round(d, load<u64>(at, 24));
  }
  first = a;
  second = b;
  third = c;
  fourth = d;
}

/**
 * The lower half of the hash.
 * @param from of what is left: less than a stripe
 * @param total bytes of it all
 */
export function end(from: usize, to: usize, total: f64): u32 {
  const bytes = <u64>total;
  let hash: u64 = prime5;
  if (bytes >= stripeBytes) {
    hash = rotl(first, 1) + rotl(second, 7) + rotl(third, 12) + rotl(fourth, 18);
    hash = merged(hash, first);
    hash = merged(hash, second);
    hash = merged(hash, third);
    hash = merged(hash, fourth);
  }
  hash += bytes;
  let at = from;
  for (; at + 8 <= to; at += 8) hash = rotl(hash ^ round(0, load<u64>(at)), 27) * prime1 + prime4;
  if (at + 4 <= to) {
    hash = rotl(hash ^ (<u64>load<u32>(at) * prime1), 23) * prime2 + prime3;
    at += 4;
  }
  for (; at < to; at++) hash = rotl(hash ^ (<u64>load<u8>(at) * prime5), 11) * prime1;
  hash = (hash ^ (hash >> 33)) * prime2;
  hash = (hash ^ (hash >> 29)) * prime3;
  return <u32>(hash ^ (hash >> 32));
}

@inline
function round(lane: u64, input: u64): u64 {
  return rotl(lane + input * prime2, 31) * prime1;
}

@inline
function merged(hash: u64, lane: u64): u64 {
  return (hash ^ round(0, lane)) * prime1 + prime4;
}
