import test from 'ava';
import type { Json } from '../../../src/domain/exact-json.js';
import { parseRegistryFile, registryFile } from '../../../src/domain/registry-file/registry-file.js';
import { conflictsWithStored } from '../../../src/domain/registry-file/registry-file-conflicts.js';
import {
  diffRegistryFile,
  massPruneProblem,
  type StoredRow,
} from '../../../src/domain/registry-file/registry-file-diff.js';

const RULES = { ownPrefix: 'extreg.v1', allowedPrefixes: ['ext'] };
const file = (extensions: Json): Json => ({ format: 1, extensions });
const plain = { type: 'pre', subject: 'ext.a' };

function rowsOf(tree: Json) {
  const read = parseRegistryFile(tree, RULES);
  if ('problems' in read) throw new Error(read.problems.join('\n'));
  return read.rows;
}

/** Rows as the registry would have them after an import of this file into an empty one. */
const storedOf = (tree: Json, revision = 1): StoredRow[] =>
  diffRegistryFile([], rowsOf(tree), { prune: false }).changes.flatMap((change) =>
    change.action === 'create' ? [{ ...change, revision }] : [],
  );

const refused = test.macro<[tree: Json, ...expected: string[]]>({
  exec: (t, tree, ...expected) => t.deepEqual(parseRegistryFile(tree, RULES), { problems: expected }),
  title: (title) => `REGISTRY-FILE-1: ${title}`,
});
test('a file that is no map is refused', refused, [], 'the file must be a map of format and extensions, got []');
test(
  'a file without anything names what it lacks',
  refused,
  {},
  'format must be 1, got nothing',
  'extensions must be a map of extensions by their ids, got nothing',
);
test(
  'fallbacks that go in a circle, or to another type, within the file',
  refused,
  file({
    a: { ...plain, policy: { fallback: ['b'] } },
    b: { ...plain, policy: { fallback: ['a', 'c', 'elsewhere'] } },
    c: { ...plain, type: 'post' },
  }),
  'extensions.b.policy.fallback goes in a circle: b -> a -> b',
  'extensions.b.policy.fallback must name extensions of type pre, c has post',
);
test('a later format is refused', refused, { format: 2, extensions: {} }, 'format must be 1, got 2');
test(
  'every problem is told, with its path',
  refused,
  file({
    normalize_text: {
      type: 'prex',
      subject: 'ext.*',
      timeout: 1,
      policy: { breaker: { window_seconds: 0, windows: 1 }, health_check: { timeout_ms: 0, payload: { any: 1.5 } } },
      thresholds: { failure_threshold: 5, window_seconds: 61.5 },
      versions: {
        v2: { subject: 'ext.v2', timeout_ms: 0, retry: 101 },
        'v3.1': { subject: 'other.v3', routing_rules: ['x'] },
      },
      instances: { 'a b': { weight: 101, version: 7 }, i: 3 },
    },
    'a.b': { ...plain, config: 'x', enabled: null },
    c: null,
  }),
  'extensions.normalize_text.timeout is no such field',
  'extensions.normalize_text.type must be one of pre, validator, post, provider, got "prex"',
  'extensions.normalize_text.policy.breaker.windows is no such field',
  'extensions.normalize_text.policy.breaker.window_seconds must be >= 1, got 0',
  'extensions.normalize_text.policy.health_check.timeout_ms must be >= 1, got 0',
  'extensions.normalize_text.thresholds.failure_threshold must not be 5, which counts as not set there: say policy.breaker.failure_threshold instead',
  'extensions.normalize_text.thresholds.window_seconds must be integer, got 61.5',
  'extensions.normalize_text.versions.v2.timeout_ms must be >= 1, got 0',
  'extensions.normalize_text.versions.v2.retry must be <= 100, got 101',
  'extensions.normalize_text.versions."v3.1".routing_rules must be object, got ["x"]',
  'extensions.normalize_text.instances."a b".subject is missing',
  'extensions.normalize_text.instances."a b".weight must be <= 100, got 101',
  'extensions.normalize_text.instances."a b".version must be either string or null, got 7',
  'extensions.normalize_text.instances.i must be a map of fields, got 3',
  'extensions.normalize_text.versions."v3.1".subject must be under ext, got "other.v3"',
  'extensions.normalize_text.instances."a b".instance_id must be 1 to 255 printable ASCII characters, got "a b"',
  'extensions.normalize_text.subject must be plain tokens joined by dots, without wildcards, got "ext.*"',
  'extensions."a.b".enabled must be boolean, got null',
  'extensions."a.b".config must be object, got "x"',
  'extensions."a.b".id must be 1 to 255 of A-Z a-z 0-9 _ : -, got "a.b"',
  'extensions.c must be a map of fields, got null',
);
test(
  'a health check is sent to no subject that a row may not name',
  refused,
  file({ a: { ...plain, policy: { health_check: { subject: 'other.health' } } } }),
  'extensions.a.policy.health_check.subject must be under ext, got "other.health"',
);
test(
  'what no column can hold is told wherever it stands',
  refused,
  file({
    a: {
      ...plain,
      metadata: { 'k\0': ['v\0'], '\udc00': { half: 'a\ud83d' } },
      config: { deep: JSON.parse(`${'['.repeat(120)}${']'.repeat(120)}`) as Json },
      versions: { ['v'.repeat(33)]: plain.subject, v: { subject: 'ext.v', rollout_percent: 33.333 } },
      thresholds: { error_rate_threshold: 0.125 },
    },
  }),
  'a key of extensions.a.metadata must not contain the character U+0000, which the database cannot hold',
  'extensions.a.metadata."k\\u0000".0 must not contain the character U+0000, which the database cannot hold',
  'a key of extensions.a.metadata must be text, got half of a surrogate pair',
  'extensions.a.metadata."\\udc00".half must be text, got half of a surrogate pair',
  'extensions.a.config.deep is nested deeper than 100 levels',
  'extensions.a.thresholds.error_rate_threshold must have at most two digits after the point, got 0.125',
  `extensions.a.versions.${'v'.repeat(33)} must have a name of at most 32 characters`,
  `extensions.a.versions.${'v'.repeat(33)} must be a map of fields, got "ext.a"`,
  'extensions.a.versions.v.rollout_percent must have at most two digits after the point, got 33.333',
);

test(
  'what versions say together of a rollout is refused',
  refused,
  file({
    a: {
      ...plain,
      versions: {
        v2: { subject: 'ext.v2', rollout_percent: 60 },
        v3: { subject: 'ext.v3', rollout_percent: 50 },
        v4: { subject: 'ext.v4', rollout_percent: 50, enabled: false },
        v5: { subject: 'ext.v5', rollout_percent: 5, routing_rules: { tenant_id: 't' } },
        v6: { subject: 'ext.v6', rollout_key: ' ' },
        v7: { subject: 'ext.v7', rollout_key: '' },
      },
    },
  }),
  'extensions.a.versions.v7.rollout_key must not have fewer than 1 characters, got ""',
  'extensions.a.versions.v5.rollout_percent must be null: a version has routing rules or a rollout percentage, not both',
  'extensions.a.versions.v6.rollout_key must be 1 to 255 characters and not blank, got " "',
  'extensions.a.versions.v3.rollout_percent of all versions must add up to at most 100, got 110: v2 60, v3 50',
);

const FULL: Json = file({
  a: {
    ...plain,
    timeout_ms: 1,
    retry: 2,
    enabled: false,
    version: 'v9',
    breaker_override: 'isolated',
    config: { a: [1] },
    metadata: ['x'],
    policy: { max_in_flight: 3 },
    thresholds: { window_seconds: 61 },
    versions: {
      v1: {
        subject: 'ext.v1',
        timeout_ms: 9,
        retry: 1,
        enabled: true,
        breaker_override: 'forced_closed',
        rollout_percent: 1.5,
        rollout_key: 'k',
      },
    },
    instances: { i: { subject: 'ext.i', weight: 0, enabled: false, version: 'v1' } },
  },
});

test('REGISTRY-FILE-4: a file that says everything comes back as it was', (t) => {
  t.deepEqual(registryFile(storedOf(FULL)), FULL);
  t.deepEqual(registryFile([...storedOf(FULL)].reverse()), FULL);
  t.deepEqual(registryFile([]), file({}));
});

test('REGISTRY-FILE-4: what holds nothing is left out, scalars are not', (t) => {
  t.deepEqual(
    registryFile(storedOf(file({ a: { ...plain, config: {}, breaker_override: null, versions: {} } }))),
    file({ a: { ...plain, timeout_ms: 5000, retry: 0, enabled: true, version: 'v1' } }),
  );
});

const diff = (stored: StoredRow[], tree: Json, prune = false) =>
  diffRegistryFile(stored, rowsOf(tree), { prune }).changes.map(({ action, kind, name, ...rest }) => [
    action,
    `${kind} ${name}`.trim(),
    ...('fields' in rest ? [rest.fields] : []),
  ]);

test('REGISTRY-FILE-DIFF-3: what is as the file says is not written', (t) => {
  t.deepEqual(diff(storedOf(FULL), FULL), []);
  t.deepEqual(diff(storedOf(FULL), FULL, true), []);
});

test('REGISTRY-FILE-DIFF-1: a row and a field that the file does not name are left alone', (t) => {
  t.deepEqual(diff(storedOf(FULL), file({ a: { ...plain, retry: 3, policy: {} } })), [
    ['change', 'extension', { retry: { old: 2, new: 3 }, policy: { old: { max_in_flight: 3 }, new: {} } }],
  ]);
});

test('REGISTRY-FILE-DIFF-1: null is not silence: it gives a field its default, also without pruning', (t) => {
  const v2 = { subject: 'ext.v2', rollout_percent: 5 };
  const stored = storedOf(file({ a: { ...plain, breaker_override: 'isolated', versions: { v2 } } }));
  const nulls = { ...plain, breaker_override: null, versions: { v2: { ...v2, rollout_percent: null } } };
  t.deepEqual(diff(stored, file({ a: nulls })), [
    ['change', 'extension', { breaker_override: { old: 'isolated', new: null } }],
    ['change', 'version v2', { rollout_percent: { old: 5, new: null } }],
  ]);
  t.deepEqual(diff(stored, file({ a: plain })), []);
});

test('REGISTRY-FILE-DIFF-2: pruning deletes rows that the file lacks and resets fields that it lacks', (t) => {
  const some = file({ a: { ...plain, retry: 2, metadata: ['x'], version: 'v9', timeout_ms: 1, config: { a: [1] } } });
  t.deepEqual(diff(storedOf(FULL), some, true), [
    [
      'change',
      'extension',
      {
        enabled: { old: false, new: true },
        breaker_override: { old: 'isolated', new: null },
        policy: { old: { max_in_flight: 3 }, new: {} },
        thresholds: { old: { window_seconds: 61 }, new: {} },
      },
    ],
    ['delete', 'version v1'],
    ['delete', 'instance i'],
  ]);
  t.deepEqual(
    diff(storedOf(FULL), file({}), true).map(([action, row]) => `${action} ${row}`),
    ['delete extension', 'delete version v1', 'delete instance i'],
  );
});

type Versions = Readonly<Record<string, Readonly<Record<string, Json>>>>;

const rollout = test.macro<[stored: Versions, wanted: Versions, expected: readonly string[], prune?: boolean]>({
  exec(t, stored, wanted, expected, prune = false) {
    const rowOf = ([name, fields]: [string, Versions[string]]): StoredRow => ({
      kind: 'version',
      extensionId: 'a',
      name,
      fields: { subject: 'ext.x', ...fields },
      revision: 1,
    });
    const rows = Object.entries(stored).map(rowOf);
    const diff = diffRegistryFile(rows, Object.entries(wanted).map(rowOf), { prune });
    t.deepEqual(conflictsWithStored(rows, diff), expected);
  },
  title: (title) => `REGISTRY-FILE-CONFLICTS-1: ${title}`,
});
const OVER =
  'extensions.a, with the versions that the file leaves alone: rollout_percent of all versions must add up to at most 100, got 110: v2 50, v3 60';
const V2 = { v2: { rollout_percent: 50 } };
const V3 = { v3: { rollout_percent: 60 } };
test('a version that comes has to fit those that stay', rollout, V2, V3, [OVER]);
test('where the others are pruned it fits', rollout, V2, V3, [], true);
test('a version that is changed has to fit', rollout, { ...V2, v3: { rollout_percent: 5 } }, V3, [OVER]);
test(
  'a version that is enabled has to fit',
  rollout,
  { ...V2, v3: { rollout_percent: 60, enabled: false } },
  { v3: { enabled: true } },
  [OVER],
);
test(
  'a version whose rules go has to fit',
  rollout,
  { ...V2, v3: { routing_rules: { t: 1 } } },
  { v3: { ...V3.v3, routing_rules: {} } },
  [OVER],
);
test('a version that makes room fits', rollout, { ...V2, ...V3 }, { v2: { rollout_percent: 40 } }, []);
test(
  'what does not fit already does not stop another change',
  rollout,
  { ...V2, ...V3 },
  { v2: { timeout_ms: 7 } },
  [],
);

const massPrune = test.macro<[all: number, kept: number, expected: string | null]>({
  exec: (t, all, kept, expected) => {
    const many = (count: number) => file(Object.fromEntries(Array.from({ length: count }, (_, i) => [`e${i}`, plain])));
    const stored = storedOf(many(all));
    const prune = (on: boolean) =>
      massPruneProblem(stored, diffRegistryFile(stored, rowsOf(many(kept)), { prune: on }));
    t.is(prune(true), expected);
    t.is(prune(false), null);
  },
  title: (_, all, kept, expected) => `mass prune: ${all - kept} of ${all} is ${expected === null ? 'done' : 'refused'}`,
});
test(massPrune, 9, 0, null);
test(massPrune, 10, 5, null);
test(massPrune, 10, 4, 'this would delete 6 of 10 extensions');

const fallbacks = test.macro<[stored: Record<string, string[]>, wanted: Record<string, string[]>, expected: string[]]>({
  exec(t, stored, wanted, expected) {
    const rowOf = ([extensionId, fallback]: [string, string[]]): StoredRow => ({
      kind: 'extension',
      extensionId,
      name: '',
      fields: { type: extensionId === 'other' ? 'post' : 'pre', subject: 'ext.x', policy: { fallback } },
      revision: 1,
    });
    const rows = Object.entries(stored).map(rowOf);
    const diff = diffRegistryFile(rows, Object.entries(wanted).map(rowOf), { prune: false });
    t.deepEqual(conflictsWithStored(rows, diff), expected);
  },
  title: (title) => `REGISTRY-FILE-CONFLICTS-1: ${title}`,
});
test('a fallback that goes in a circle with what is stored is told', fallbacks, { a: ['b'], b: [] }, { b: ['a'] }, [
  'extensions.b, with the extensions that the file leaves alone: policy.fallback goes in a circle: b -> a -> b',
]);
test('a fallback to a stored extension of another type is told', fallbacks, { other: [] }, { b: ['other'] }, [
  'extensions.b, with the extensions that the file leaves alone: policy.fallback must name extensions of type pre, other has post',
]);
test('a fallback that opens a stored circle fits', fallbacks, { a: ['b'], b: ['a'] }, { b: [] }, []);
test(
  'a stored circle that the file does not touch is not its matter',
  fallbacks,
  { a: ['b'], b: ['a'] },
  { c: ['a'] },
  [],
);
