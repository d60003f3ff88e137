import test from 'ava';
import fc from 'fast-check';
import murmurhash from 'murmurhash';
import { hashOf, scoreFrom, scoreOf } from '../../../src/domain/routing/rendezvous.js';
import { chiSquare, criticalAt, dependence } from '../../helpers/chi-square.js';
import { runs } from '../../helpers/depth.js';
import { seededRandom } from '../../helpers/seeded-random.js';

/** Members by name, with weights. */
type Weights = Readonly<Record<string, number>>;

const hashes = new Map<string, number>();
/** Of a member's name, made once, as a pool does. */
function memberHash(name: string): number {
  const hash = hashes.get(name) ?? hashOf(name);
  hashes.set(name, hash);
  return hash;
}

/** Who of those outside `except` has the key; null: nobody with weight is left. */
function winner(keyHash: number, weights: Weights, except: string | null = null): string | null {
  let best: string | null = null;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const name in weights) {
    const score = scoreOf(keyHash, memberHash(name), weights[name] as number);
    if (name === except || !(score > bestScore)) continue;
    best = name;
    bestScore = score;
  }
  return best;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const named = (weights: readonly number[], prefix = 'i'): Weights =>
  Object.fromEntries(weights.map((weight, i) => [`${prefix}${i}`, weight]));
const label = (weights: Weights): string => {
  const list = Object.values(weights);
  return list.length > 10 ? `${list.length} equal ones` : list.join(':');
};
const sum = (list: Iterable<number>): number => [...list].reduce((a, b) => a + b, 0);

/** Kinds of keys that there are: what counts up, what looks alike, what is hashed already, and chance. */
const chance = seededRandom(7);
const KEYS: Readonly<Record<string, readonly number[]>> = {
  'of texts that count up': numbers(100_000).map((i) => hashOf(`tenant-${i}`)),
  'that are the numbers themselves': numbers(100_000),
  'that differ in high bits alone': numbers(100_000).map((i) => (i << 15) >>> 0),
  'of chance': numbers(100_000).map(() => Math.floor(chance() * 2 ** 32)),
};
const TEXTS = KEYS['of texts that count up'] as readonly number[];

const WEIGHTS: readonly Weights[] = [
  { a: 100, b: 50 },
  { a: 100, b: 1 },
  { v1: 90, v2: 10 },
  named([100, 100, 100]),
  named([5, 1, 1, 0]),
  named([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
  named(numbers(50).map(() => 100)),
];

for (const [kind, keys] of Object.entries(KEYS))
  for (const weights of WEIGHTS)
    test(`RENDEZVOUS-2, FM 42: a hundred thousand keys ${kind} are shared as ${label(weights)}`, (t) => {
      const counts = new Map(Object.keys(weights).map((name) => [name, 0]));
      for (const key of keys) {
        const name = winner(key, weights) as string;
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      const total = sum(Object.values(weights));
      const expected = Object.values(weights).map((weight) => (keys.length * weight) / total);
      const used = Object.values(weights).filter((weight) => weight > 0).length;
      t.true(chiSquare([...counts.values()], expected) < criticalAt(used - 1));
    });

for (const [kind, keys] of Object.entries(KEYS))
  for (const weights of [named([1, 1, 1, 1]), named([4, 2, 1], 'instance-')])
    test(`RENDEZVOUS-2: who comes second is a matter of weights too, whoever has the key: keys ${kind}, ${label(weights)}`, (t) => {
      const names = Object.keys(weights);
      const pairs = names.flatMap((one) => names.filter((two) => two !== one).map((two) => [one, two] as const));
      const counts = new Map(pairs.map((pair) => [pair.join(), 0]));
      for (const key of keys) {
        const one = winner(key, weights);
        const pair = `${one},${winner(key, weights, one)}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
      const total = sum(Object.values(weights));
      const weightOf = (name: string) => weights[name] as number;
      const expected = pairs.map(
        ([one, two]) => (keys.length * weightOf(one) * weightOf(two)) / (total * (total - weightOf(one))),
      );
      t.true(chiSquare([...counts.values()], expected) < criticalAt(pairs.length - 1));
    });

test('RENDEZVOUS-2: what one member scores for a key tells nothing of what another does, nor of the next key', (t) => {
  const isHigh = (key: number, member: string) => scoreOf(key, memberHash(member), 1) > 1 / Math.LN2;
  const both = (pairs: readonly (readonly [boolean, boolean])[]): number => {
    const table: [number, number, number, number] = [0, 0, 0, 0];
    for (const [one, two] of pairs) (table[(one ? 0 : 2) + (two ? 0 : 1)] as number)++;
    t.true(Math.abs(table[0] + table[1] - pairs.length / 2) < 4 * Math.sqrt(pairs.length / 4), 'half are high');
    return dependence(table);
  };
  for (const [one, two] of [
    ['i1', 'i2'],
    ['v1', 'v2'],
    ['a', 'aa'],
    ['ext-1@v1', 'ext-2@v1'],
  ] as const)
    t.true(both(TEXTS.map((key) => [isHigh(key, one), isHigh(key, two)])) < criticalAt(1), `${one}, ${two}`);
  for (const [kind, keys] of Object.entries(KEYS))
    t.true(
      both(keys.slice(1).map((key, i) => [isHigh(keys[i] as number, 'i1'), isHigh(key, 'i1')])) < criticalAt(1),
      kind,
    );
});

test('RENDEZVOUS-2: two keys and two members with the same difference have nothing else in common', (t) => {
  // Keys k and k ^ d meet members m and m ^ d: without the key's second part both pairs would be one.
  const d = 0x5bd1e995;
  const member = memberHash('i1');
  const equal = TEXTS.filter((key) => scoreOf(key, member, 1) === scoreOf(key ^ d, member ^ d, 1)).length;
  t.is(equal, 0);
  const isHigh = (score: number) => score > 1 / Math.LN2;
  const agree = TEXTS.filter((key) => isHigh(scoreOf(key, member, 1)) === isHigh(scoreOf(key ^ d, member ^ d, 1)));
  t.true(chiSquare([agree.length, TEXTS.length - agree.length], [50_000, 50_000]) < criticalAt(1));
});

test('RENDEZVOUS-1: a score is finite and above 0 for any hashes, and -Infinity for weight 0, which never wins', (t) => {
  const hash = fc.oneof(fc.nat(2 ** 32 - 1), fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1));
  fc.assert(
    fc.property(hash, hash, fc.integer({ min: 1, max: 100 }), (key, member, weight) => {
      const score = scoreOf(key, member, weight);
      t.true(score > 0 && Number.isFinite(score));
      t.is(scoreOf(key | 0, member | 0, weight), score, 'signed or not, the bits are the same');
      t.is(scoreOf(key, member, 0), Number.NEGATIVE_INFINITY);
    }),
  );
  t.is(winner(1, { a: 0, b: 0 }), null);
});

test('scoreFrom: the score, wherever it is at least so great, and else what is less', (t) => {
  fc.assert(
    fc.property(fc.nat(2 ** 32 - 1), fc.nat(2 ** 32 - 1), fc.integer({ min: 1, max: 100 }), (key, member, weight) => {
      const score = scoreOf(key, member, weight);
      for (const least of [0, score / 2, score * (1 - 2 ** -50), score])
        t.is(scoreFrom(least, key, member, weight), score);
      for (const least of [score * (1 + 2 ** -50), score * 2, score * 1000])
        t.true(scoreFrom(least, key, member, weight) < least);
    }),
    { numRuns: runs(1000) },
  );
  t.is(scoreFrom(1e6, 1, 2, 1), Number.NEGATIVE_INFINITY, 'without a logarithm');
});

test('RENDEZVOUS-1, FM 44: the order of the members does not matter', (t) => {
  const weights = named([3, 1, 4, 1, 5, 9, 2, 6]);
  const turned = Object.fromEntries(Object.entries(weights).toReversed());
  t.deepEqual(Object.keys(turned), Object.keys(weights).toReversed());
  const keys = TEXTS.slice(0, 20_000);
  t.deepEqual(
    keys.map((key) => winner(key, turned)),
    keys.map((key) => winner(key, weights)),
  );
});

test('RENDEZVOUS-1: on every replica and in every release a key has the same member', (t) => {
  // Computed by a second implementation, in another language. A change would move every caller at an upgrade.
  const weights = named([100, 100, 100]);
  const names = ['acme', 'globex', 'initech', 'umbrella', 'hooli', 'stark', '', 'müller', '日本'].map((key) =>
    winner(hashOf(key), weights),
  );
  t.deepEqual(names, ['i0', 'i1', 'i1', 'i0', 'i1', 'i2', 'i0', 'i1', 'i0']);
});

test('hashOf: murmur3 of the UTF-8 bytes, unsigned', (t) => {
  // Of Austin Appleby's reference code, seed 0.
  t.is(hashOf(''), 0);
  t.is(hashOf('test'), 0xba6bd213);
  t.is(hashOf('Hello, world!'), 0xc0363e43);
  t.is(hashOf('The quick brown fox jumps over the lazy dog'), 0x2e4ff723);
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => t.is(hashOf(text), murmurhash.v3(text, 0))));
});

const SOME = TEXTS.slice(0, 20_000);
const moved = (before: Weights, after: Weights): { from: string; to: string }[] =>
  SOME.map((key) => ({ from: winner(key, before) as string, to: winner(key, after) as string })).filter(
    ({ from, to }) => from !== to,
  );

test('RENDEZVOUS-1, FM 44: one more or one less of 2 to 50 members moves at most its share and 2 %, all of it to or from that one', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 50 }), fc.nat(1000), fc.nat(49), (n, name, which) => {
      const members = numbers(n).map((i) => `member-${name}-${i}`);
      const odd = members[which % n] as string;
      const all = Object.fromEntries(members.map((member) => [member, 100]));
      const less = Object.fromEntries(Object.entries(all).filter(([member]) => member !== odd));
      const added = moved(less, all);
      t.true(added.length <= SOME.length * (1 / n + 0.02), `${added.length} of ${SOME.length}, ${n} members`);
      t.true(added.every(({ to }) => to === odd));
      const taken = moved(all, less);
      t.is(taken.length, added.length);
      t.true(taken.every(({ from }) => from === odd));
    }),
    {
      numRuns: runs(15),
      examples: [
        [2, 0, 0],
        [50, 0, 0],
      ],
    },
  );
});

test('RENDEZVOUS-1, FM 44: another weight moves keys to or from that member alone: more weight only adds to it', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 8 }), fc.nat(100), (list, to) => {
      const before = named(list);
      const after = { ...before, i0: to };
      const changes = moved(before, after);
      if (to > (list[0] as number)) t.true(changes.every((change) => change.to === 'i0'));
      else t.true(changes.every((change) => change.from === 'i0'));
    }),
    { numRuns: runs(10) },
  );
});

/** Whether the canary of an extension takes a tenant, at that percentage. */
const takes = (extensionId: string, percent: number, tenant: string): boolean =>
  winner(hashOf(`${extensionId} ${tenant}`), { v1: 100 - percent, v2: percent }) === 'v2';
const TENANTS = numbers(20_000).map((i) => `tenant-${i}`);

test('RENDEZVOUS-1, FM 49: over a ramp a tenant that the canary takes stays with it, and each step has its share', (t) => {
  let before = new Set<string>();
  for (const percent of [0, 1, 5, 10, 25, 50, 75, 99, 100]) {
    const taken = new Set(TENANTS.filter((tenant) => takes('ext-1', percent, tenant)));
    t.deepEqual(
      [...before].filter((tenant) => !taken.has(tenant)),
      [],
    );
    const expected = [(TENANTS.length * percent) / 100, (TENANTS.length * (100 - percent)) / 100];
    t.true(chiSquare([taken.size, TENANTS.length - taken.size], expected) < criticalAt(1), `${percent} %`);
    before = taken;
  }
  t.is(before.size, TENANTS.length);
});

for (const percent of [5, 10, 25, 50])
  test(`RENDEZVOUS-2, FM 49: who is in one extension's rollout of ${percent} % is no more and no less in another's`, (t) => {
    const table: [number, number, number, number] = [0, 0, 0, 0];
    for (const tenant of TENANTS) {
      const one = takes('ext-1', percent, tenant);
      const two = takes('ext-2', percent, tenant);
      (table[(one ? 0 : 2) + (two ? 0 : 1)] as number)++;
    }
    t.true(dependence(table) < criticalAt(1));
  });

test('RENDEZVOUS-2: which version a key has tells nothing of which instance of that version it has, also with the same hash', (t) => {
  const table: [number, number, number, number] = [0, 0, 0, 0];
  for (const key of TEXTS) {
    const isCanary = winner(key, { 'version v1': 80, 'version v2': 20 }) === 'version v2';
    const isFirst = winner(key, { 'instance i1': 50, 'instance i2': 50 }) === 'instance i1';
    (table[(isCanary ? 0 : 2) + (isFirst ? 0 : 1)] as number)++;
  }
  t.true(dependence(table) < criticalAt(1));
});
