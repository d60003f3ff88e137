// ROW-EDIT-1 to ROW-EDIT-3 of row-edit.ts.
import test from 'ava';
import { type Json, type JsonMap, parseExactJson, stringifyExactJson } from '../../../src/domain/exact-json.js';
import { parseRegistryFile } from '../../../src/domain/registry-file/registry-file.js';
import { diffRegistryFile, type StoredRow } from '../../../src/domain/registry-file/registry-file-diff.js';
import { defaultOf, ROW_FIELDS } from '../../../src/domain/registry-file/registry-file-schema.js';
import { editRow, mergePatch, type RowEdit } from '../../../src/domain/registry-file/row-edit.js';

const RULES = { ownPrefix: 'extreg.v1', allowedPrefixes: [] };

/** As they are stored: with every field. */
function storedOf(extensions: string): StoredRow[] {
  const read = parseRegistryFile(parseExactJson(`{"format": 1, "extensions": ${extensions}}`, 100), RULES);
  if ('problems' in read) throw new Error(read.problems.join('\n'));
  return read.rows.map((row) => ({
    ...row,
    fields: Object.fromEntries(
      Object.keys(ROW_FIELDS[row.kind]).map((field) => [
        field,
        row.fields[field] ?? defaultOf(row.kind, field) ?? null,
      ]),
    ),
    revision: 7,
  }));
}

const STORED = storedOf(`{
  "a": {"type": "pre", "subject": "x.a", "timeout_ms": 900, "config": {"n": 12345678901234567890, "m": {"k": 1, "l": 2}},
    "policy": {"max_in_flight": 3, "breaker": {"failure_threshold": 9}},
    "versions": {"v2": {"subject": "x.a2", "rollout_percent": 60, "rollout_key": "k"}, "v3": {"subject": "x.a3"}},
    "instances": {"i": {"subject": "x.i"}}},
  "b": {"type": "pre", "subject": "x.b", "policy": {"fallback": ["a"]}}}`);

const edit = (how: RowEdit['how'], fields: string, kind: RowEdit['kind'] = 'extension', name = '') =>
  editRow(STORED, { kind, extensionId: 'a', name, how, fields: parseExactJson(fields, 100) as JsonMap }, RULES);

/** New values by field. */
function changed(result: ReturnType<typeof editRow>): string {
  if ('problems' in result) return JSON.stringify(result.problems);
  const { change } = result;
  if (change === null || change.action === 'delete') return 'nothing';
  if (change.action === 'create') return stringifyExactJson(change.fields);
  return stringifyExactJson(
    Object.fromEntries(Object.entries(change.fields).map(([name, value]) => [name, value.new])),
  );
}

const pointers = (result: ReturnType<typeof editRow>): string[] =>
  'problems' in result ? result.problems.map(({ pointer, message }) => `${pointer}: ${message}`) : ['no problem'];

test('ROW-EDIT-3: a merge changes what it names, in depth, and null takes away', (t) => {
  t.is(changed(edit('merge', '{"timeout_ms": 800}')), '{"timeout_ms":800}');
  t.is(changed(edit('merge', '{"timeout_ms": 900, "config": {"m": {"l": 2}}}')), 'nothing');
  t.is(
    changed(edit('merge', '{"config": {"m": {"l": null, "j": 3}}}')),
    '{"config":{"n":12345678901234567890,"m":{"k":1,"j":3}}}',
  );
  t.is(changed(edit('merge', '{"config": null, "timeout_ms": null}')), '{"timeout_ms":5000,"config":{}}');
  t.is(
    changed(edit('merge', '{"policy": {"breaker": {"failure_threshold": null}}}')),
    '{"policy":{"max_in_flight":3,"breaker":{}}}',
  );
  t.is(
    changed(edit('merge', '{"rollout_key": null, "rollout_percent": null}', 'version', 'v2')),
    '{"rollout_percent":null,"rollout_key":null}',
  );
  t.is(changed(edit('merge', '{}')), 'nothing');
});

test('ROW-EDIT-3: a replacement gives what it leaves out its default', (t) => {
  t.is(
    changed(edit('replace', '{"type": "pre", "subject": "x.a", "policy": {"max_in_flight": 3}}')),
    '{"timeout_ms":5000,"config":{},"policy":{"max_in_flight":3}}',
  );
  t.deepEqual(pointers(edit('replace', '{"type": "pre"}')), ['/subject: subject is missing']);
});

test('a new row has every field, and says what it lacks', (t) => {
  t.is(
    changed(edit('create', '{"subject": "x.new", "weight": 7}', 'instance', 'new')),
    '{"subject":"x.new","weight":7,"enabled":true,"version":null}',
  );
  t.deepEqual(pointers(edit('create', '{"weight": 7}', 'instance', 'new')), ['/subject: subject is missing']);
});

const wrong = test.macro<
  [how: RowEdit['how'], fields: string, expected: string[], kind?: RowEdit['kind'], name?: string]
>({
  exec(t, how, fields, expected, kind, name) {
    t.deepEqual(pointers(edit(how, fields, kind, name)), expected);
  },
  title: (_, how, fields, __, kind = 'extension') => `ROW-EDIT-1: ${how} of ${kind} ${fields} is refused`,
});
test(wrong, 'merge', '{"timeout_ms": 0, "retry": "x"}', [
  '/timeout_ms: timeout_ms must be >= 1, got 0',
  '/retry: retry must be integer, got "x"',
]);
test(wrong, 'merge', '{"policy": {"breaker": {"no such": 1, "open_seconds": -1}}}', [
  '/policy/breaker/no such: policy.breaker."no such" is no such field',
  '/policy/breaker/open_seconds: policy.breaker.open_seconds must be >= 0.001, got -1',
]);
test(wrong, 'merge', '{"subject": "extreg.v1.invoke.a"}', [
  '/subject: subject must not be under this daemon\'s own prefix extreg.v1, got "extreg.v1.invoke.a"',
]);
test(
  wrong,
  'merge',
  '{"rollout_percent": 50}',
  ['/rollout_percent: rollout_percent of all versions must add up to at most 100, got 110: v2 60, v3 50'],
  'version',
  'v3',
);
test(wrong, 'merge', '{"policy": {"fallback": ["b"]}}', [
  ': a, with the extensions that stay: policy.fallback goes in a circle: a -> b -> a',
]);
test(wrong, 'merge', '{"a/b~c": 1}', [
  '/a~1b~0c: the extension has no field "a/b~c"; it takes type, subject, timeout_ms, retry, enabled, version, breaker_override, config, metadata, policy, thresholds',
]);

test('ROW-EDIT-2: what is wrong with another row stops no edit', (t) => {
  const rows = STORED.map((row) => (row.name === 'v3' ? { ...row, fields: { ...row.fields, timeout_ms: -5 } } : row));
  const merge = (kind: RowEdit['kind'], name: string, fields: JsonMap) =>
    editRow(rows, { kind, extensionId: 'a', name, how: 'merge', fields }, RULES);
  t.is(changed(merge('extension', '', { timeout_ms: 5 })), '{"timeout_ms":5}');
  t.is(changed(merge('version', 'v2', { timeout_ms: 5 })), '{"timeout_ms":5}');
  t.deepEqual(pointers(merge('version', 'v3', { retry: 1 })), ['/timeout_ms: timeout_ms must be >= 1, got -5']);
  t.is(changed(merge('version', 'v3', { timeout_ms: 1 })), '{"timeout_ms":1}');
});

// The table of RFC 7396, appendix A.
const EXAMPLES: readonly [original: string, patch: string, result: string][] = [
  ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
  ['{"a":"b"}', '{"a":null}', '{}'],
  ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
  ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
  ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
  ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
  ['["a","b"]', '["c","d"]', '["c","d"]'],
  ['{"a":"b"}', '["c"]', '["c"]'],
  ['{"a":"foo"}', 'null', 'null'],
  ['{"a":"foo"}', '"bar"', '"bar"'],
  ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
  ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
  ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ['{"__proto__":1}', '{"__proto__":{"x":2}}', '{"__proto__":{"x":2}}'],
];
for (const [original, patch, result] of EXAMPLES)
  test(`merge patch: ${original} with ${patch}`, (t) => {
    const read = (text: string): Json => parseExactJson(text, 100);
    t.is(stringifyExactJson(mergePatch(read(original), read(patch))), result);
  });

test('an edit that says what is so already is no change, as a diff of a file finds', (t) => {
  for (const row of STORED) {
    const { kind, extensionId, name, fields } = row;
    t.deepEqual(editRow(STORED, { kind, extensionId, name, how: 'replace', fields }, RULES), { change: null });
    t.deepEqual(diffRegistryFile([row], [row], { prune: false }).changes, []);
  }
});
