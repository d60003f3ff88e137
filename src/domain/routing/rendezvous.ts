// Weighted rendezvous hashing (highest random weight, after Thaler and Ravishankar): for each key every member has a score,
// and the member with the greatest has the key.
//
// RENDEZVOUS-1. A score depends on the key, the member and its weight, and on nothing else: no order, no neighbour, no process. So
//     every replica answers alike, and a key moves only to or from a member that came, went or has another weight.
// RENDEZVOUS-2. Each member has its weight's share of the keys; its score for one key is independent of other keys and members.
import murmurhash from 'murmurhash';

/** Of a text, 0..2^32 - 1 (murmur3, 32 bits). For members once per change of the registry, for a key once per call. */
export const hashOf = (text: string): number => murmurhash.v3(Buffer.from(text), 0);

/**
 * What a member scores for a key, by the hashes of both: above 0, and -Infinity for weight 0, which never has a key.
 * weight / -ln(u) with u strictly between 0 and 1: of exponential numbers with the weights for rates, each is the least
 * with its weight's share.
 */
export function scoreOf(keyHash: number, memberHash: number, weight: number): number {
  return weight > 0 ? -weight / Math.log(uniformOf(keyHash, memberHash)) : Number.NEGATIVE_INFINITY;
}

/**
 * What a member with this weight scores for a key, or something below `least` if it scores less: a logarithm costs more
 * than all the rest and 1 - u, which is never more than -ln(u), rules most members out.
 */
export function scoreFrom(least: number, keyHash: number, memberHash: number, weight: number): number {
  const u = uniformOf(keyHash, memberHash);
  return weight < least * (1 - u) * ROUNDING ? Number.NEGATIVE_INFINITY : -weight / Math.log(u);
}

/** Enough that no rounding rules out a score as great as `least`. */
const ROUNDING = 1 - 2 ** -40;

/** Strictly between 0 and 1, in steps of 2^-52. */
function uniformOf(keyHash: number, memberHash: number): number {
  // The key once more: the first half alone is the same for any two pairs with the same difference.
  const first = finalise(keyHash ^ memberHash);
  const second = finalise(first + Math.imul(keyHash, GOLDEN));
  return ((second >>> 0) + ((first >>> 12) + 0.5) / 2 ** 20) / 2 ** 32;
}

/** 2^32 over the golden ratio, odd. */
const GOLDEN = 0x9e3779b1;

/** murmur3's fmix32: a bijection in which each bit given moves each bit of the result in half of all cases. */
function finalise(bits: number): number {
  let h = bits ^ (bits >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
