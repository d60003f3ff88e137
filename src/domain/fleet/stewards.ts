// Who does what is done once in a fleet: the steward of a key, the replica with the highest rendezvous score for it.
//
// STEWARDS-1. Replicas that see the same members name the same steward for each key, whatever the order in which they came.
// STEWARDS-2. A key changes its steward only to a replica that came, or from one that left.
import { hashOf, scoreOf } from '../routing/rendezvous.js';

/** A replica that may be a steward. */
export interface Candidate {
  readonly incarnation: string;
  /** Of its id. */
  readonly hash: number;
}

export const candidateOf = (id: string, incarnation: string): Candidate => ({ incarnation, hash: hashOf(id) });

/** `keyHash`: hashOf(key). null: there is no candidate. Two with the same id: the lower incarnation. */
export function stewardOf(keyHash: number, candidates: readonly Candidate[]): Candidate | null {
  let best: Candidate | null = null;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const candidate of candidates) {
    const score = scoreOf(keyHash, candidate.hash, 1);
    if (score < bestScore) continue;
    if (score === bestScore && best !== null && best.incarnation < candidate.incarnation) continue;
    best = candidate;
    bestScore = score;
  }
  return best;
}
