// What is asked before something is done, and what is not done without an answer.
import test from 'ava';
import { fakeDaemon, Problem } from '../fake-daemon.js';

const VERB_ANSWER = {
  extension_id: 'a',
  verb: 'isolate',
  revision: 2,
  owed: false,
  enabled: true,
  auto_disabled: false,
  override: 'isolated',
  circuit_breaker_state: 'open',
};
const ROLLOUT = { extension_id: 'a', version: 'v2', percent: 5, was: 0, changed: true, revision: 2, in_force: true };
const WEIGHT = { weight: 0, was: 100, in_flight: 0, revision: 2 };

const answering = (asked: { readonly method: string; readonly path: string }): unknown => {
  if (asked.method === 'GET') return { id: 'a', counts: { versions: 1, instances: 0 }, revision: 3 };
  if (asked.path.endsWith('/rollout')) return ROLLOUT;
  if (asked.path.endsWith('/drain')) return WEIGHT;
  return asked.method === 'DELETE' ? {} : VERB_ANSWER;
};
const wrote = (routes: readonly string[]): boolean => routes.some((route) => !route.startsWith('GET'));

const reason = ['--reason', 'x'];
for (const argv of [
  ['disable', 'a', ...reason],
  ['isolate', 'a', ...reason],
  ['reset', 'a'],
  ['drain', 'a', 'i1', ...reason],
  ['rollout', 'a', 'v2', '5', ...reason],
])
  test(`CONFIRM-1: extreg ${argv.join(' ')} asks y/N on a terminal, and nothing elsewhere`, async (t) => {
    for (const [typed, isDone] of [
      ['y', true],
      ['YES', true],
      ['n', false],
      ['', false],
      ['a', false],
    ] as const) {
      const daemon = await fakeDaemon(t, answering);
      const { code, stderr } = await daemon.typing([typed], ...argv);
      t.is(code, isDone ? 0 : 64, typed);
      t.regex(stderr, /^This .*\. Go on\? \[y\/N\] /);
      t.is(wrote(daemon.routes()), isDone);
      if (!isDone) t.regex(stderr, /extreg: nothing was changed\n$/);
    }
    const daemon = await fakeDaemon(t, answering);
    t.is((await daemon.typing([], ...argv)).code, 64, 'CONFIRM-3: the end of the input');
    t.false(wrote(daemon.routes()));
    t.deepEqual((await daemon.typing([], ...argv, '--yes')).code, 0);
    const elsewhere = await daemon.extreg(...argv);
    t.deepEqual([elsewhere.code, elsewhere.stderr], [0, '']);
  });

for (const [argv, name] of [
  [['force-closed', 'a', ...reason], 'a'],
  [['delete', 'a', ...reason], 'a'],
  [['delete', 'a', '--version', 'v2', ...reason], 'v2'],
  [['rollout', 'a', 'v2', '100', ...reason], 'a'],
  [['reload', '--force', ...reason], 'reload'],
] as const)
  test(`CONFIRM-2: extreg ${argv.join(' ')} asks for ${name}, and needs --yes elsewhere`, async (t) => {
    for (const [typed, isDone] of [
      [name, true],
      ['y', false],
      ['', false],
    ] as const) {
      const daemon = await fakeDaemon(t, answering);
      const { code, stderr } = await daemon.typing([typed], ...argv);
      t.is(code, isDone ? 0 : 64, typed);
      t.true(stderr.includes(`Type ${name} to go on: `), stderr);
      t.is(wrote(daemon.routes()), isDone);
    }
    const daemon = await fakeDaemon(t, answering);
    const refused = await daemon.extreg(...argv);
    t.is(refused.code, 64);
    t.regex(
      refused.stderr,
      /^extreg: --yes: expected, since no terminal can be asked: This .*\.\nnext: repeat it with --yes\n$/,
    );
    t.false(wrote(daemon.routes()));
    t.is((await daemon.extreg(...argv, '--yes')).code, 0);
    t.true(wrote(daemon.routes()));
  });

test('a reason is asked for on a terminal where the admin API needs one, before what is done is confirmed', async (t) => {
  const daemon = await fakeDaemon(t, answering);
  const { code, stderr } = await daemon.typing(['returns garbage', 'y'], 'isolate', 'a');
  t.is(code, 0);
  t.regex(stderr, /^Why \(for the audit trail\)\? This refuses every call to a, .*\[y\/N\] $/);
  t.like(daemon.asked.at(-1)?.body, { reason: 'returns garbage' });
  const none = await daemon.typing(['', 'y'], 'isolate', 'a');
  t.deepEqual([none.code, none.stderr.split('\n').at(-2)], [64, "next: repeat it with --reason '…'"]);
  for (const argv of [
    ['drain', 'a', 'i'],
    ['rollout', 'a', 'v2', '5'],
    ['delete', 'a', '--yes'],
    ['create', 'a', 'type=pre'],
    ['set', 'a', 'retry=1'],
    ['unset', 'a', 'retry'],
    ['reload', '--force', '--yes'],
  ]) {
    const refused = await daemon.extreg(...argv);
    t.is(refused.code, 64, argv.join(' '));
    t.regex(refused.stderr, /^extreg: --reason: expected why/);
  }
});

test('no reason is sent where none is needed and none was given', async (t) => {
  const daemon = await fakeDaemon(t, (asked) =>
    asked.path.endsWith('/undrain') ? { weight: 50, was: 0, revision: 1 } : answering(asked),
  );
  for (const argv of [['enable', 'a'], ['release', 'a'], ['reset', 'a'], ['undrain', 'a', 'i'], ['reload']]) {
    t.is((await daemon.extreg(...argv)).code, 0, argv.join(' '));
    t.false('reason' in ((daemon.asked.at(-1)?.body ?? {}) as object), argv.join(' '));
  }
  await daemon.extreg('release', 'a', '--reason', 'it is well');
  t.like(daemon.asked.at(-1)?.body, { reason: 'it is well' });
});

test('set: shows from and to before it asks why, and says who changed the row meanwhile', async (t) => {
  const conflict = { revision: 9, changed_by: 'token:ada', changed_at: '2026-01-01T00:00:00.000Z' };
  const daemon = await fakeDaemon(t, ({ method }) =>
    method === 'GET'
      ? { id: 'a', retry: 1, revision: 3 }
      : new Problem(412, 'revision_conflict', 'it is in revision 9', conflict),
  );
  const { code, stdout, stderr } = await daemon.typing(['faster'], 'set', 'a', 'retry=2');
  t.is(code, 1);
  t.is(stdout, 'FIELD  FROM  TO\nretry  1     2\n\n');
  t.is(
    stderr,
    'Why (for the audit trail)? extreg: revision_conflict: it is in revision 9; changed by token:ada at 2026-01-01T00:00:00.000Z\n' +
      'next: extreg show a shows what it is now; repeat what is still right\n',
  );
  t.is(daemon.asked.at(-1)?.headers['if-match'], '"3"');
});
