import test from 'ava';
import { acceptsReplyTo, microSubjects, Subjects } from '../../../src/nats/wire/subjects.js';

const subjects = new Subjects('extreg.v1');

test('SUBJECTS-1: id and tenant are told apart, whatever the prefix', (t) => {
  for (const prefix of ['extreg.v1', 'a', 'a.b.c']) {
    const own = new Subjects(prefix);
    t.is(own.invokeAll, `${prefix}.invoke.>`);
    t.deepEqual(own.parseInvoke(`${prefix}.invoke.pii:guard_1-x`), {
      ok: true,
      extensionId: 'pii:guard_1-x',
      tenantId: null,
    });
    t.deepEqual(own.parseInvoke(`${prefix}.invoke.a.acme`), { ok: true, extensionId: 'a', tenantId: 'acme' });
  }
});

const refused = test.macro<[string]>({
  exec(t, rest) {
    t.false(subjects.parseInvoke(`extreg.v1.invoke.${rest}`).ok);
  },
  title: (_, rest) => `SUBJECTS-1: refuses ${JSON.stringify(rest.slice(0, 20))}`,
});
for (const rest of [
  '',
  '.',
  'a.',
  '.a',
  'a.b.c',
  'a$',
  'a b',
  '*',
  '>',
  'a.*',
  'a.>',
  'a.\u0000',
  'a.\u00a0',
  'x'.repeat(256),
])
  test(refused, rest);

test('event: an id that is no token stands as _', (t) => {
  t.is(subjects.event('circuit_opened', 'a'), 'extreg.v1.event.circuit_opened.a');
  t.is(subjects.event('registry_row_rejected', 'a.b'), 'extreg.v1.event.registry_row_rejected._');
  t.is(subjects.event('mass_removal_held', '_'), 'extreg.v1.event.mass_removal_held._');
});

const reply = test.macro<[string, boolean]>({
  exec(t, subject, accepted) {
    t.is(acceptsReplyTo(subject, ['_INBOX', '_R_.']), accepted);
  },
  title: (_, subject, accepted) =>
    `SUBJECTS-2: ${accepted ? 'accepts' : 'does not accept'} ${JSON.stringify(subject.slice(0, 30))}`,
});
test(reply, '_INBOX.a.b', true);
test(reply, '_INBOX_caller.a', true);
test(reply, '_INBOX_extregular.a', true);
test(reply, '_R_.a.b', true);
test(reply, '', false);
test(reply, '_R_x.a', false);
test(reply, 'a._INBOX.b', false);
test(reply, '_INBOX_extreg', false);
test(reply, '_INBOX_extreg.a.b', false);
test(reply, '_INBOX.*', false);
test(reply, '_INBOX.>', false);
test(reply, '_INBOX.\u00e9', false);
test(reply, `_INBOX.${'x'.repeat(505)}`, true);
test(reply, `_INBOX.${'x'.repeat(506)}`, false);

test('microSubjects: everybody, by name, by name and id', (t) => {
  t.deepEqual(microSubjects('PING', 'extreg', 'r1'), ['$SRV.PING', '$SRV.PING.extreg', '$SRV.PING.extreg.r1']);
});

test('subjects: what replicas say to each other has a major version, and is below one prefix for permissions', (t) => {
  const own = new Subjects('a.b');
  t.is(own.fleet('hb'), 'a.b.fleet.f1.hb');
  t.is(own.fleet('hello'), 'a.b.fleet.f1.hello');
  t.is(own.fleet('bye'), 'a.b.fleet.f1.bye');
  t.is(own.fleet('all'), 'a.b.fleet.>');
});
