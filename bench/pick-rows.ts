// Rows of the benchmark: one pick of an instance by each balancer, and what could be done in its place.
import murmurhash from 'murmurhash';
import type { Instance } from '../src/domain/registry/extension.js';
import { BALANCERS, type Balancer } from '../src/domain/registry/policy.js';
import { InstancePool } from '../src/domain/routing/instance-pool.js';
import type { PoolSeat } from '../src/domain/routing/pool-member.js';
import { hashOf } from '../src/domain/routing/rendezvous.js';
import type { Row } from './turns.js';

export const SIZES = [1, 3, 10, 100];
export const BY_CHANCE = 'by chance and weight';
export const BY_TEXTS = 'a murmur3 of key and instance for each';
export const HASH_ROW = 'hash a key of 16 characters';

export const PICKERS: readonly (Balancer | typeof BY_CHANCE | typeof BY_TEXTS)[] = [...BALANCERS, BY_CHANCE, BY_TEXTS];

export const pickRow = (picker: string, size: number): string => `${picker}, ${size}`;

/** A power of two of them, so that the next one costs no division. */
const KEYS = Array.from({ length: 1024 }, (_, i) => `tenant-${String(i).padStart(9, '0')}`);
const HASHES = KEYS.map(hashOf);

class BusySeat implements PoolSeat {
  readonly isInRotation = true;
  readonly restUntilMs = Number.NEGATIVE_INFINITY;
  readonly inFlight: number;

  constructor(inFlight: number) {
    this.inFlight = inFlight;
  }

  successRate(): number {
    return 1;
  }
}

/** Weights from 10 to 100, some calls in flight at each. */
const instancesOf = (size: number): Instance[] =>
  Array.from({ length: size }, (_, i) => ({
    id: `instance-${i}`,
    subject: `ext.bench.${i}`,
    weight: 10 * ((i % 10) + 1),
    enabled: true,
    healthStatus: 'healthy',
    version: null,
    revision: 1,
  }));

function row(picker: string, size: number, pick: (i: number) => unknown): Row {
  return {
    name: pickRow(picker, size),
    run(times) {
      let none = 0;
      for (let i = 0; i < times; i++) if (pick(i & (KEYS.length - 1)) === null) none++;
      // What is picked is looked at, so that the compiler leaves nothing out.
      if (none > 0) throw new Error(`${picker} picked nobody ${none} times`);
    },
  };
}

function balancerRow(balancer: Balancer, size: number): Row {
  const seat = (instance: Instance) => new BusySeat(instance.weight % 7);
  const seats = new Map(instancesOf(size).map((instance) => [instance.id, seat(instance)]));
  const of = ({ id }: Instance) => seats.get(id) as BusySeat;
  const pool = new InstancePool(instancesOf(size), balancer, of, ({ id }) => id, Math.random);
  const draw = { nowMs: 0, avoid: [], mayPanic: true, keyHash: 0, random: Math.random };
  return row(balancer, size, (i) => {
    draw.keyHash = HASHES[i] as number;
    return pool.pick(draw);
  });
}

function chanceRow(size: number): Row {
  const instances = instancesOf(size);
  const total = instances.reduce((sum, { weight }) => sum + weight, 0);
  return row(BY_CHANCE, size, () => {
    let left = Math.random() * total;
    for (const instance of instances) {
      left -= instance.weight;
      if (left < 0) return instance;
    }
    return null;
  });
}

function textsRow(size: number): Row {
  const instances = instancesOf(size);
  return row(BY_TEXTS, size, (i) => {
    let best: Instance | null = null;
    let greatest = -1;
    for (const instance of instances) {
      const hash = murmurhash.v3((KEYS[i] as string) + instance.id);
      if (hash <= greatest) continue;
      greatest = hash;
      best = instance;
    }
    return best;
  });
}

export function pickRows(): Row[] {
  return [
    ...SIZES.flatMap((size) => [
      ...BALANCERS.map((balancer) => balancerRow(balancer, size)),
      chanceRow(size),
      textsRow(size),
    ]),
    { ...row(HASH_ROW, 1, (i) => hashOf(KEYS[i] as string)), name: HASH_ROW },
  ];
}
