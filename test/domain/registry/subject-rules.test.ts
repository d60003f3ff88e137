import test from 'ava';
import {
  isExtensionId,
  MAX_SUBJECT_BYTES,
  type SubjectRules,
  subjectProblem,
} from '../../../src/domain/registry/subject-rules.js';

const RULES: SubjectRules = { ownPrefix: 'extreg.v1', allowedPrefixes: [] };
const NARROW: SubjectRules = { ...RULES, allowedPrefixes: ['ext', 'team.b'] };

const allowed = test.macro<[subject: string, rules?: SubjectRules]>({
  exec(t, subject, rules = RULES) {
    t.is(subjectProblem(subject, rules), null);
  },
  title: (_, subject, rules = RULES) =>
    `subjectProblem: none with ${JSON.stringify(subject.slice(0, 40))} of ${Buffer.byteLength(subject)} bytes, under ${JSON.stringify(rules.allowedPrefixes)}`,
});
test(allowed, 'ext');
test(allowed, 'ext.guard');
test(allowed, 'beamline.ext.pre.pii-guard_2');
test(allowed, 'a.$b._c');
test(allowed, 'a:b/c=d!{}~');
test(allowed, 'extreg');
test(allowed, 'extreg.v10.x');
test(allowed, 'extreg.v2.invoke.a');
test(allowed, 'a'.repeat(MAX_SUBJECT_BYTES));
test(allowed, 'ext', NARROW);
test(allowed, 'ext.a', NARROW);
test(allowed, 'team.b.x', NARROW);

const PLAIN = 'subject must be plain tokens joined by dots, without wildcards, got ';
const RESERVED = "subject must not begin with '$' or '_', got ";
const OWN = "subject must not be under this daemon's own prefix extreg.v1, got ";

const hostile = test.macro<[subject: unknown, expected: string, rules?: SubjectRules]>({
  exec(t, subject, expected, rules = RULES) {
    t.is(subjectProblem(subject, rules), expected);
  },
  title: (_, subject, expected) => `subjectProblem: ${JSON.stringify(subject) ?? 'undefined'} is refused: ${expected}`,
});
test(hostile, '', 'subject must be a NATS subject, got nothing');
test(hostile, null, 'subject must be a NATS subject, got nothing');
test(hostile, undefined, 'subject must be a NATS subject, got nothing');
test(hostile, 7, 'subject must be a NATS subject, got nothing');
for (const subject of [
  '*',
  '>',
  'ext.*',
  'ext.>',
  '*.ext',
  'ext.a*',
  'ext.a>',
  '.',
  '.ext',
  'ext.',
  'ext..a',
  ' ',
  'ext a',
  'ext.a\t',
  'ext.a\r\nPUB x 0\r\n',
  'ext.\u0000',
  'ext.\u007f',
  'ext.ü',
  'ext.日本',
  'ext.\u200b',
  'ext.\ud800',
])
  test(hostile, subject, PLAIN + JSON.stringify(subject));
for (const subject of ['$JS.API.STREAM.DELETE.x', '$SYS.REQ', '$SRV.PING', '_INBOX.x', '_R_.x', '_', '$'])
  test(hostile, subject, RESERVED + JSON.stringify(subject));
for (const subject of ['extreg.v1', 'extreg.v1.invoke.a', 'extreg.v1.event.x'])
  test(hostile, subject, OWN + JSON.stringify(subject));
test(hostile, 'a'.repeat(257), 'subject must be at most 256 bytes, got 257');
test(hostile, `ext.${'é'.repeat(127)}`, 'subject must be at most 256 bytes, got 258');
test(hostile, `${'a'.repeat(90)}.*`, `${PLAIN}${JSON.stringify(`${'a'.repeat(80)}…`)}`);
test(hostile, 'other.a', 'subject must be under ext or team.b, got "other.a"', NARROW);
test(hostile, 'extra.a', 'subject must be under ext or team.b, got "extra.a"', NARROW);
test(hostile, 'team', 'subject must be under ext or team.b, got "team"', NARROW);
test(hostile, 'EXT.a', 'subject must be under ext or team.b, got "EXT.a"', NARROW);

const idCase = test.macro<[id: string, expected: boolean]>({
  exec(t, id, expected) {
    t.is(isExtensionId(id), expected);
  },
  title: (_, id, expected) =>
    `isExtensionId: ${expected} for ${JSON.stringify(id.slice(0, 20))} of ${id.length} characters`,
});
test(idCase, 'pii-guard_v2:eu', true);
test(idCase, 'A', true);
test(idCase, 'a'.repeat(255), true);
test(idCase, 'a'.repeat(256), false);
for (const id of ['', 'a.b', 'a b', '*', '>', 'a\n', 'ä', 'a/b', '$a', 'a\u0000']) test(idCase, id, false);
