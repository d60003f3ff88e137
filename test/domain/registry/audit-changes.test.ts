// AUDIT-CHANGES-1–AUDIT-CHANGES-4 of audit-changes.ts.
import test from 'ava';
import { parseExactJson, stringifyExactJson } from '../../../src/domain/exact-json.js';
import { auditChanges, MAX_CHANGES, MAX_CHARACTERS } from '../../../src/domain/registry/audit-changes.js';

const json = (text: string) => parseExactJson(text, 100);
const of = (before: string, after: string, hidesConfig = false) =>
  JSON.parse(stringifyExactJson({ ...auditChanges(json(before), json(after), hidesConfig) } as never));

test('AUDIT-CHANGES-1: members that differ, by their pointers; numbers by value, lists as wholes', (t) => {
  const before =
    '{"enabled": true, "policy": {"breaker": {"a/b~c": 1, "same": 2}, "fallback": ["x"]}, "n": 1.0, "gone": 7, "empty": null}';
  const after =
    '{"enabled": false, "policy": {"breaker": {"a/b~c": 2, "same": 2}, "fallback": ["x", "y"]}, "n": 1, "empty": null, "new": {"a": 1}}';
  t.deepEqual(of(before, after), {
    isCut: false,
    changes: [
      { path: '/enabled', from: true, to: false },
      { path: '/policy/breaker/a~1b~0c', from: 1, to: 2 },
      { path: '/policy/fallback', from: ['x'], to: ['x', 'y'] },
      { path: '/gone', from: 7, to: null },
      { path: '/new', from: null, to: { a: 1 } },
    ],
  });
  const exact = auditChanges(json('{"config": {"n": 1}}'), json('{"config": {"n": 12345678901234567890}}'), false);
  t.true(stringifyExactJson(exact.changes as never).includes('12345678901234567890'));
});

test('AUDIT-CHANGES-2: a row that is made or deleted is all of its members, without what it says of itself', (t) => {
  const row =
    '{"id": "a", "subject": "x", "revision": 3, "uid": "u", "updated_at": "now", "created_by": "ada", "config": {}}';
  const changes = [
    { path: '/subject', from: null, to: 'x' },
    { path: '/config', from: null, to: {} },
  ];
  t.deepEqual(of('null', row), { isCut: false, changes });
  t.deepEqual(
    of(row, 'null').changes,
    changes.map(({ path, from, to }) => ({ path, from: to, to: from })),
  );
  t.deepEqual(of(row, row.replace('3', '4').replace('now', 'later')), { isCut: false, changes: [] });
});

test('AUDIT-CHANGES-3: what is too long or too much is left out, and it says so', (t) => {
  const long = 'x'.repeat(MAX_CHARACTERS);
  const cut = of(`{"a": "short"}`, `{"a": "${long}"}`);
  t.true(cut.isCut);
  t.deepEqual(cut.changes, [{ path: '/a', from: 'short', to: `"${long.slice(1)}…` }]);
  const many = Object.fromEntries(Array.from({ length: MAX_CHANGES + 1 }, (_, i) => [`m${i}`, i]));
  const { m0: _, ...fewer } = many;
  t.like(of('{"config": {}}', JSON.stringify({ config: many })), { isCut: true });
  t.is(of('{"config": {}}', JSON.stringify({ config: many })).changes.length, MAX_CHANGES);
  t.like(of('{"config": {}}', JSON.stringify({ config: fewer })), { isCut: false });
  const deep = (end: number) => `{"config": ${'{"a":'.repeat(60)}${end}${'}'.repeat(60)}}`;
  t.is(of(deep(1), deep(2)).changes.length, 1, 'a change far down is one change');
});

test('AUDIT-CHANGES-4: a viewer sees that config changed, and nothing of it', (t) => {
  const before = '{"config": {"password": "old"}, "retry": 0}';
  const after = '{"config": {"password": "new"}, "retry": 1}';
  t.deepEqual(of(before, after, true).changes, [
    { path: '/config', hidden: true },
    { path: '/retry', from: 0, to: 1 },
  ]);
  t.deepEqual(of(before, before, true).changes, []);
  t.deepEqual(of('null', after, true).changes[0], { path: '/config', hidden: true });
});

test('AUDIT-CHANGES-1: names that objects inherit are names', (t) => {
  t.deepEqual(of('{}', '{"config": 1, "constructor": 2, "__proto__": 3}').changes.length, 3);
  t.deepEqual(of('{"config": {}}', '{"config": {"toString": null}}').changes, []);
});
