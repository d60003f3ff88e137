// `extreg wait`: one connection, and an exit code for pipelines.
import test from 'ava';
import { targetHealth } from '../../http/helpers.js';
import { type Asked, fakeDaemon, HELLO, Problem, stream } from '../fake-daemon.js';
import { directory, isDeep, run } from '../run.js';

const health = (state: string, own: object = {}) => ({
  id: 'a',
  enabled: true,
  auto_disabled: false,
  override: null,
  versions: [],
  health: { ...targetHealth, circuit_breaker_state: state },
  ...own,
});
const row = (state: number, flags = 0) => [[7, state, flags, 1, 1, 1, 1, 0, 0, 0, null]];

/** The extension is `first`, and then what `later` sends. */
const daemonWith =
  (
    first: unknown,
    ...later: readonly (readonly [string, unknown])[]
  ): ((asked: Asked, response: Parameters<typeof stream>[0]) => unknown) =>
  ({ path }, response) => {
    if (path === '/admin/extensions/a/health') return first;
    if (path !== '/admin/events') return null;
    const send = stream(response);
    send('hello', HELLO);
    for (const [event, data] of later) send(event, data);
    return undefined;
  };

test('WAIT-1: it asks once, and is told the rest on the same connection', async (t) => {
  const daemon = await fakeDaemon(t, daemonWith(health('open'), ['rows', row(1)], ['rows', row(2)], ['rows', row(0)]));
  const { code, stdout, stderr } = await daemon.extreg('wait', 'a', '--for', 'closed');
  t.deepEqual([code, stderr], [0, '']);
  t.regex(stdout, /^a is ● closed after \d+s\n$/);
  t.deepEqual(daemon.routes(), ['GET /admin/events', 'GET /admin/extensions/a/health']);
  t.is(daemon.asked[0]?.query.toString(), 'topics=rows&extension_id=a');
});

for (const [goal, first, later] of [
  ['open', health('open'), []],
  ['half_open', health('open'), [['rows', row(2)]]],
  [
    'enabled',
    health('open', { enabled: false, auto_disabled: true }),
    [
      ['rows', row(1, 1)],
      ['rows', row(2, 0)],
    ],
  ],
  ['closed', health('closed', { enabled: false }), [['rows_added', [{ k: 7, state: 0, flags: 0 }]]]],
] as const)
  test(`wait --for ${goal}: is over when it is so`, async (t) => {
    const daemon = await fakeDaemon(t, daemonWith(first, ...later));
    const { code, stdout } = await daemon.extreg('wait', 'a', '--for', goal, '--json');
    t.is(code, 0);
    t.like(JSON.parse(stdout), { id: 'a', for: goal, reached: true });
  });

test('wait: 75 when it is not so in time, with the state that it has', async (t) => {
  const daemon = await fakeDaemon(t, daemonWith(health('open'), ['rows', row(2)], ['rows', row(3)]));
  // A process of its own takes longer until it has read what the daemon sends.
  const [timeout, after] = isDeep ? ['5s', '5s'] : ['400ms', '0s'];
  const { code, stdout, stderr } = await daemon.extreg('wait', 'a', '--for', 'closed', '--timeout', timeout);
  t.deepEqual([code, stdout], [75, '']);
  t.is(stderr, `extreg: a is isolated, not closed, after ${after}\nnext: extreg show a says why\n`);
});

test('wait: 1 for an unknown id and one that is deleted meanwhile, 69 without a daemon', async (t) => {
  const unknown = await fakeDaemon(t, daemonWith(new Problem(404, 'extension_not_found', "no extension 'a'")));
  t.deepEqual((await unknown.extreg('wait', 'a', '--for', 'open')).code, 1);
  const deleted = await fakeDaemon(t, daemonWith(health('open'), ['rows_removed', [7]]));
  const { code, stderr } = await deleted.extreg('wait', 'a', '--for', 'closed');
  t.is(code, 1);
  t.regex(stderr, /^extreg: extension_not_found: a was deleted meanwhile\n/);
  const none = await run(['wait', 'a', '--for', 'open', '--url', 'http://127.0.0.1:1'], { cwd: directory(t) });
  t.is(none.code, 69);
});

test('wait: a connection that is lost is made again, and the state is asked for again', async (t) => {
  let streams = 0;
  const daemon = await fakeDaemon(t, ({ path }, response) => {
    if (path === '/admin/extensions/a/health') return health(streams === 1 ? 'open' : 'closed');
    streams++;
    stream(response)('hello', HELLO);
    if (streams === 1) response.end();
    return undefined;
  });
  const { code } = await daemon.extreg('wait', 'a', '--for', 'closed', '--timeout', '20s');
  t.is(code, 0);
  t.is(streams, 2);
});

for (const code of ['database_unavailable', 'too_many_requests'])
  test(`LIVE-EVENTS-4: wait: ${code} passes when the state is asked for`, async (t) => {
    let asked = 0;
    const refusal = new Problem(503, code);
    const daemon = await fakeDaemon(t, (one, response) =>
      daemonWith(one.path.endsWith('/health') && ++asked === 1 ? refusal : health('closed'))(one, response),
    );
    t.is((await daemon.extreg('wait', 'a', '--for', 'closed', '--timeout', '20s')).code, 0);
    t.is(asked, 2);
  });
