// Which instance of a version takes a call, by one of three balancers:
// weighted_round_robin  smooth, after nginx ngx_http_upstream_round_robin.c;
// least_inflight        power of two choices (Mitzenmacher): of two drawn by weight the one that is less busy for its weight;
// consistent_hash       weighted rendezvous on the call's key (rendezvous.ts); round-robin where it has none.
//
// BALANCE-1. Round-robin: over any full cycle with unchanged members each member gets exactly its weight's share, spread evenly.
// BALANCE-2. Weight 0 and disabled members get nothing. Members out of rotation get nothing while others are usable; whether they
//     do where none is (panic policy `any_enabled`) is for the caller to say.
// BALANCE-3. A member that asked for rest (429 with Retry-After) is passed over until then, unless all of them did.
// BALANCE-4. Each pool begins at a random point of its cycle, so that replicas, which all see a change at once, do not pick in
//     lock-step.
// BALANCE-5. Least in flight: being empty because it fails fast gains a member nothing. One that fails gets its weight's share at most.
// BALANCE-6. By hash, who is passed over loses his keys to the others for as long, and no other key moves.
// BALANCE-7. By hash with a balance factor, no member gets a call by which it would have more in flight than that factor of its weight's
//     share of all that are in flight, rounded up. Some member always has less. (After Mirrokni, Thorup and Zadimoghaddam,
//     consistent hashing with bounded loads.)
//
// Long: the three balancers share the pool, its weights and its turns.
import type { Instance } from '../registry/extension.js';
import type { Balancer } from '../registry/policy.js';
import { done, type Steps, sorting } from '../steps.js';
import { hashOf, scoreFrom } from './rendezvous.js';

/** What instances share that are one endpoint. */
export interface PoolSeat {
  readonly isInRotation: boolean;
  /** Ids of the instances that share it and take no calls, for an operator says that they are unhealthy; absent: none. */
  readonly withheld?: ReadonlySet<string>;
  /** Monotonic ms until which it asked not to be called (BALANCE-3). */
  readonly restUntilMs: number;
  /** Attempts that are out to it. */
  readonly inFlight: number;
  /** Share of what it was asked lately that went well, 0..1; 1 where nothing is known. */
  successRate(nowMs: number): number;
}

export interface PoolMember<T extends PoolSeat, V> {
  readonly instance: Instance;
  readonly seat: T;
  readonly value: V;
  /** What its score for a key is made of. */
  readonly hash: number;
  /** Sum over the usable members of its seat. */
  readonly seatWeight: number;
  /** Smooth round-robin's running weight. */
  current: number;
}

/** What one pick depends on. It is not kept: a caller may use one for all its picks. */
export interface Draw {
  readonly nowMs: number;
  /** Subjects that this call tried in vain. */
  readonly avoid: readonly string[];
  /** If none is left in rotation, ejected ones are used (BALANCE-2). */
  readonly mayPanic: boolean;
  /** `hashOf` the call's routing key; null: it has none. */
  readonly keyHash: number | null;
  /** BALANCE-7: per cent, above 100; 0 or absent: no bound. */
  readonly balanceFactor?: number;
  /** 0..1, 1 excluded. */
  readonly random: () => number;
}

/** How a member stands, independent of the pick. */
interface Standing {
  readonly instance: Instance;
  readonly isInRotation: boolean;
  readonly isResting: boolean;
}

/** Under this share of the other's success rate a member yields to it: the minimum success rate of health-based routing. */
const FAILING = 0.8;
/** From this share on it may take what was drawn for the other: more than time alone gives back to one that failed. */
const SOUND = 0.95;
/** Draws of a member that may turn out not to be free, before the free ones are looked for. */
const BLIND_TRIES = 4;
/** Visits of members that a pool may spend on finding the point where it begins: about a tenth of a millisecond. */
const MAX_VISITS = 50_000;

export class InstancePool<T extends PoolSeat, V> {
  readonly #balancer: Balancer;
  /** In the order of round-robin's ties. */
  #members: readonly PoolMember<T, V>[] = [];
  /** By seat, the first by id; made when it is first asked for. */
  #firstOn: ReadonlyMap<T, PoolMember<T, V>> | null = null;
  /** Where each of them ends, their weights laid side by side. */
  #bounds: readonly number[] = [];

  /**
   * `instances`: those that serve one version, in any order; `value`: what the caller wants to get back with a pick;
   * `random`: 0..1, decides where the pool begins (BALANCE-4) and is not kept.
   */
  constructor(
    instances: readonly Instance[],
    balancer: Balancer,
    seat: (instance: Instance) => T,
    value: (instance: Instance) => V,
    random: () => number,
  ) {
    this.#balancer = balancer;
    done(this.#filling(instances, seat, value, random));
  }

  /** As the constructor, in steps. */
  static *making<T extends PoolSeat, V>(
    instances: readonly Instance[],
    balancer: Balancer,
    seat: (instance: Instance) => T,
    value: (instance: Instance) => V,
    random: () => number,
  ): Steps<InstancePool<T, V>> {
    const pool = new InstancePool<T, V>([], balancer, seat, value, random);
    yield* pool.#filling(instances, seat, value, random);
    return pool;
  }

  *#filling(
    instances: readonly Instance[],
    seat: (instance: Instance) => T,
    value: (instance: Instance) => V,
    random: () => number,
  ): Steps<void> {
    const usable = yield* sorting(
      instances.filter((i) => i.enabled && i.weight > 0),
      byId,
    );
    const weights = new Map<T, number>();
    for (const instance of usable) {
      weights.set(seat(instance), (weights.get(seat(instance)) ?? 0) + instance.weight);
      yield;
    }
    const members: PoolMember<T, V>[] = [];
    for (const instance of shuffled(usable, random)) {
      members.push({
        instance,
        seat: seat(instance),
        value: value(instance),
        // A small integer, which the compiler keeps unboxed.
        hash: hashOf(`instance ${instance.id}`) | 0,
        seatWeight: weights.get(seat(instance)) as number,
        current: 0,
      });
      yield;
    }
    this.#members = members;
    this.#layOut();
    if (members.length > 0) this.#turnTo(random());
  }

  get size(): number {
    return this.#members.length;
  }

  /** True: some member has a subject that is none of these. */
  hasOutside(subjects: readonly string[]): boolean {
    return this.#members.some(({ instance }) => !subjects.includes(instance.subject));
  }

  /** The first by id of the members with this seat, those that take calls before the others; null: none has it. */
  on(seat: T): PoolMember<T, V> | null {
    if (this.#firstOn === null) {
      const first = new Map<T, PoolMember<T, V>>();
      for (const member of this.#members) {
        const known = first.get(member.seat);
        if (known === undefined || byId(member.instance, known.instance) < 0) first.set(member.seat, member);
      }
      this.#firstOn = first;
    }
    const first = this.#firstOn.get(seat) ?? null;
    if (first === null || !isWithheld(first)) return first;
    return this.#members.filter((member) => member.seat === seat && !isWithheld(member)).sort(firstById)[0] ?? first;
  }

  /** Every member with weight, by id. */
  standings(nowMs: number): Standing[] {
    return this.#members
      .map((member) => ({
        instance: member.instance,
        isInRotation: isIn(member),
        isResting: member.seat.restUntilMs > nowMs,
      }))
      .toSorted((a, b) => byId(a.instance, b.instance));
  }

  /** One that picks as this one does from now on, and whose picks take no turns of this one. */
  fork(): InstancePool<T, V> {
    const fork = new InstancePool<T, V>([], this.#balancer, unasked, unasked, () => 0);
    fork.#members = this.#members.map((member) => ({ ...member }));
    fork.#layOut();
    return fork;
  }

  /** null: no usable member outside `avoid`. */
  pick(draw: Draw): PoolMember<T, V> | null {
    const { nowMs, avoid, mayPanic } = draw;
    if (this.#members.length < 2) {
      const only = this.#members[0];
      if (only === undefined) return null;
      return avoid.includes(only.instance.subject) || !(isIn(only) || mayPanic) ? null : only;
    }
    const found = this.#among(draw, nowMs, false) ?? this.#among(draw, Number.POSITIVE_INFINITY, false);
    return found === null && mayPanic ? this.#among(draw, Number.POSITIVE_INFINITY, true) : found;
  }

  /** Of those that have rested until `restedMs`. */
  #among(draw: Draw, restedMs: number, isPanic: boolean): PoolMember<T, V> | null {
    switch (this.#balancer) {
      case 'weighted_round_robin':
        return this.#inTurn(draw.avoid, restedMs, isPanic);
      case 'least_inflight':
        return this.#lessLoaded(draw, restedMs, isPanic);
      case 'consistent_hash':
        return draw.keyHash === null
          ? this.#inTurn(draw.avoid, restedMs, isPanic)
          : this.#byKey(draw.keyHash, draw, restedMs, isPanic);
      default:
        return this.#balancer satisfies never;
    }
  }

  #inTurn(avoid: readonly string[], restedMs: number, isPanic: boolean): PoolMember<T, V> | null {
    let best: PoolMember<T, V> | null = null;
    let total = 0;
    for (const member of this.#members) {
      if (!isFree(member, avoid, restedMs, isPanic)) continue;
      const { weight } = member.instance;
      member.current += weight;
      total += weight;
      if (best === null || member.current > best.current) best = member;
    }
    if (best !== null) best.current -= total;
    return best;
  }

  #byKey(
    keyHash: number,
    { avoid, balanceFactor = 0 }: Draw,
    restedMs: number,
    isPanic: boolean,
  ): PoolMember<T, V> | null {
    let best: PoolMember<T, V> | null = null;
    let bestScore = 0;
    const key = keyHash | 0;
    const load = balanceFactor > 0 ? this.#loadOf(avoid, restedMs, isPanic) : null;
    for (const member of this.#members) {
      if (!isFree(member, avoid, restedMs, isPanic)) continue;
      if (load !== null && isFull(member, load, balanceFactor)) continue;
      const score = scoreFrom(bestScore, key, member.hash, member.instance.weight);
      // Equal ones do not depend on the order, which is another on each replica.
      if (score > bestScore || (score === bestScore && best !== null && byId(member.instance, best.instance) < 0)) {
        best = member;
        bestScore = score;
      }
    }
    return best;
  }

  /** BALANCE-7: of the free ones. */
  #loadOf(avoid: readonly string[], restedMs: number, isPanic: boolean): Load<T> {
    const weights = new Map<T, number>();
    for (const member of this.#members) {
      if (!isFree(member, avoid, restedMs, isPanic)) continue;
      weights.set(member.seat, (weights.get(member.seat) ?? 0) + member.instance.weight);
    }
    let weight = 0;
    let inFlight = 0;
    for (const [seat, own] of weights) {
      weight += own;
      inFlight += seat.inFlight;
    }
    return { weights, weight, inFlight };
  }

  /** BALANCE-7: ids of the members in rotation that get no call by a key at present. */
  full({ nowMs, avoid, balanceFactor = 0 }: Draw): ReadonlySet<string> {
    if (balanceFactor === 0 || this.#balancer !== 'consistent_hash') return NO_IDS;
    const load = this.#loadOf(avoid, nowMs, false);
    const free = this.#members.filter((member) => isFree(member, avoid, nowMs, false));
    return new Set(free.filter((member) => isFull(member, load, balanceFactor)).map(({ instance }) => instance.id));
  }

  #lessLoaded(draw: Draw, restedMs: number, isPanic: boolean): PoolMember<T, V> | null {
    const drawn = this.#drawn(draw, restedMs, isPanic, null);
    const rival = drawn === null ? null : this.#drawn(draw, restedMs, isPanic, drawn.seat);
    return drawn !== null && rival !== null && yieldsTo(drawn, rival, draw.nowMs) ? rival : drawn;
  }

  /** One of the free ones outside the seat `except`, by chance and weight; null: none is free. */
  #drawn({ avoid, random }: Draw, restedMs: number, isPanic: boolean, except: T | null): PoolMember<T, V> | null {
    // Among all of them, as long as that finds one that is free: the shares of these are the same.
    const all = this.#bounds.at(-1) as number;
    for (let tries = 0; tries < BLIND_TRIES; tries++) {
      const member = this.#at(random() * all);
      if (member.seat !== except && isFree(member, avoid, restedMs, isPanic)) return member;
    }
    let free = 0;
    for (const member of this.#members)
      if (member.seat !== except && isFree(member, avoid, restedMs, isPanic)) free += member.instance.weight;
    let left = random() * free;
    let last: PoolMember<T, V> | null = null;
    for (const member of this.#members) {
      if (member.seat === except || !isFree(member, avoid, restedMs, isPanic)) continue;
      last = member;
      left -= member.instance.weight;
      if (left < 0) break;
    }
    return last;
  }

  /** The member at that point of the line on which all of them lie side by side, each as long as its weight. */
  #at(point: number): PoolMember<T, V> {
    let low = 0;
    let high = this.#bounds.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#bounds[middle] as number) > point) high = middle;
      else low = middle + 1;
    }
    return this.#members[low] as PoolMember<T, V>;
  }

  #layOut(): void {
    let end = 0;
    this.#bounds = this.#members.map(({ instance }) => {
      end += instance.weight;
      return end;
    });
  }

  /**
   * BALANCE-4. `point`: 0..1 of the cycle, as far as MAX_VISITS reach; so many members that they do not are spread by the order of
   * their ties. The turns taken are those of the cycle, so that BALANCE-1 holds from here as from its beginning.
   */
  #turnTo(point: number): void {
    const weights = this.#members.map(({ instance }) => instance.weight);
    if (this.#balancer === 'least_inflight' || weights.length < 2) return;
    const cycle = weights.reduce((a, b) => a + b) / weights.reduce(greatestCommonDivisor);
    const turns = Math.floor(point * Math.min(cycle, MAX_VISITS / weights.length));
    for (let i = 0; i < turns; i++) this.#inTurn(NOBODY, Number.POSITIVE_INFINITY, true);
  }
}

const NOBODY: readonly string[] = [];
const NO_IDS: ReadonlySet<string> = new Set();

/** Of members that are free, by their seats. */
interface Load<T> {
  readonly weights: ReadonlyMap<T, number>;
  /** Sums over all of them. */
  readonly weight: number;
  readonly inFlight: number;
}

/** BALANCE-7. Whole numbers throughout, so that what is exactly a whole number is not rounded up. */
function isFull<T extends PoolSeat, V>(
  { seat }: PoolMember<T, V>,
  { weights, weight, inFlight }: Load<T>,
  factor: number,
): boolean {
  const own = weights.get(seat) ?? 0;
  return seat.inFlight >= Math.ceil((factor * own * (inFlight + 1)) / (100 * weight));
}

const isWithheld = ({ seat, instance }: { readonly seat: PoolSeat; readonly instance: Instance }): boolean =>
  seat.withheld?.has(instance.id) ?? false;

const firstById = (a: { readonly instance: Instance }, b: { readonly instance: Instance }): number =>
  byId(a.instance, b.instance);

/** Of its own, it takes calls while others do. */
const isIn = <T extends PoolSeat, V>(member: PoolMember<T, V>): boolean =>
  member.seat.isInRotation && !isWithheld(member);

function isFree<T extends PoolSeat, V>(
  member: PoolMember<T, V>,
  avoid: readonly string[],
  restedMs: number,
  isPanic: boolean,
): boolean {
  if (member.seat.restUntilMs > restedMs || !(isPanic || isIn(member))) return false;
  return avoid.length === 0 || !avoid.includes(member.instance.subject);
}

/**
 * BALANCE-5. Calls in flight say how busy a member is only of those that go well: one whose calls fail at once has none. Over its
 * weight and its success rate they say how busy it would be. The rival takes the call where it is then no busier than the
 * one drawn is now: idle ones get what is drawn for them, so that their weights alone decide.
 */
function yieldsTo<T extends PoolSeat, V>(drawn: PoolMember<T, V>, rival: PoolMember<T, V>, nowMs: number): boolean {
  const rate = drawn.seat.successRate(nowMs);
  const rivalRate = rival.seat.successRate(nowMs);
  if (rivalRate < SOUND * rate) return false;
  if (rate < FAILING * rivalRate) return true;
  return (rival.seat.inFlight + 1) * drawn.seatWeight * rate <= drawn.seat.inFlight * rival.seatWeight * rivalRate;
}

const byId = (a: Instance, b: Instance): number => (a.id < b.id ? -1 : 1);

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));

/** Fisher and Yates; as it was where `random` gives 0. */
function shuffled<I>(list: readonly I[], random: () => number): I[] {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = i - Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j] as I, result[i] as I];
  }
  return result;
}

const unasked = (): never => {
  throw new Error('a pool without instances asks for nothing');
};
