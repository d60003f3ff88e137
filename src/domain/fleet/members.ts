// The other replicas of a fleet, as their heartbeats describe them: who is live, who has left, who has our name.
//
// MEMBERS-1. A replica is live while it was heard within the last 3.5 s and has not left; one that is silent for that long is forgotten.
// MEMBERS-2. One that says that it leaves does not count any more from that moment. It is remembered until it is silent, so that what it
//     said before and what arrives late does not bring it back.
// MEMBERS-3. Of each incarnation the newest message counts; loss, duplication and reordering change nothing else.
// MEMBERS-4. Of two live incarnations with one name at most one keeps it, whatever each of them heard first.
// MEMBERS-5. At most 256 are remembered; what a further one says is dropped.
import type { Heartbeat } from './heartbeat.js';
import { type Candidate, candidateOf } from './stewards.js';

export const LIVE_MS = 3500;
const MAX_MEMBERS = 256;

export interface Member {
  readonly said: Heartbeat;
  /** Monotonic, here. */
  readonly heardMs: number;
}

/**
 * What a message changed. `same`: nothing that others depend on; `own`, `stale` and `full`: nothing at all, since it is ours, older than one that
 * was heard, or of one too many.
 */
type Heard = 'joined' | 'left' | 'updated' | 'same' | 'own' | 'stale' | 'full';

export class Members {
  readonly #incarnation: string;
  readonly #members = new Map<string, Member>();

  /** Of the replica itself. */
  constructor(incarnation: string) {
    this.#incarnation = incarnation;
  }

  hear(said: Heartbeat, nowMs: number): Heard {
    if (said.inc === this.#incarnation) return 'own';
    const known = this.#members.get(said.inc);
    if (known === undefined && this.#members.size >= MAX_MEMBERS) return 'full';
    if (known !== undefined && known.said.seq >= said.seq) return 'stale';
    // MEMBERS-2.
    const hadLeft = known?.said.draining === true;
    this.#members.set(said.inc, { said: hadLeft ? { ...said, draining: true } : said, heardMs: nowMs });
    if (known === undefined) return said.draining ? 'updated' : 'joined';
    if (hadLeft) return 'same';
    if (said.draining) return 'left';
    return isSame(known.said, said) ? 'same' : 'updated';
  }

  /** Forgets those that are silent, and returns them. */
  expire(nowMs: number): readonly Member[] {
    const silent = [...this.#members.values()].filter(({ heardMs }) => nowMs - heardMs > LIVE_MS);
    for (const { said } of silent) this.#members.delete(said.inc);
    return silent;
  }

  /** Nothing could be heard for so long, because this process stood still: that is not held against them. */
  credit(ms: number, nowMs: number): void {
    for (const [inc, member] of this.#members)
      this.#members.set(inc, { ...member, heardMs: Math.min(member.heardMs + ms, nowMs) });
  }

  /** Those that have left included. */
  get all(): readonly Member[] {
    return [...this.#members.values()];
  }

  /** MEMBERS-1. */
  get live(): readonly Member[] {
    return this.all.filter(({ said }) => !said.draining);
  }

  /** Those that may be stewards. */
  get candidates(): readonly Candidate[] {
    return this.live.filter(({ said }) => said.suspect !== true).map(({ said }) => candidateOf(said.id, said.inc));
  }

  /** Highest version of the messages that all of them and this release speak. */
  commonProtocol(own: number): number {
    return Math.min(own, ...this.live.map(({ said }) => said.proto[1]));
  }

  /** MEMBERS-4. A live one that keeps the name which this replica has; null: there is none. `upS`: for how long this one runs. */
  keeperOf(id: string, upS: number, nowMs: number): Member | null {
    const rival = this.live.find(
      ({ said, heardMs }) => said.id === id && !keepsName(this.#incarnation, said, upS - (nowMs - heardMs) / 1000),
    );
    return rival ?? null;
  }
}

/** From here on one of two is clearly the older. */
const CLEARLY_YOUNGER_S = 2;
const CLEARLY_OLDER_S = 1;

/**
 * The older one keeps its name. Either sees the other younger by what a message takes, so near each other the incarnation decides; the
 * bounds differ by more than two messages may take, so that they may both give way but never both keep it.
 */
function keepsName(incarnation: string, rival: Heartbeat, upS: number): boolean {
  const olderS = rival.up_s - upS;
  return olderS < -CLEARLY_YOUNGER_S || (olderS <= CLEARLY_OLDER_S && incarnation < rival.inc);
}

/** In what stewards, shares and the version of the messages follow from. */
const isSame = (a: Heartbeat, b: Heartbeat): boolean =>
  a.id === b.id && a.suspect === b.suspect && a.proto[1] === b.proto[1];
