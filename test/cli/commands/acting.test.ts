// `extreg drain`, `undrain`, `reload`, `inspect`, `console`: what they send and print.
import test from 'ava';
import { fakeDaemon, Problem } from '../fake-daemon.js';

const DRAINED = { weight: 0, was: 50, in_flight: 3, revision: 4, in_force: true };

test('drain --wait: until none is in flight, by reading; what gets calls again meanwhile is not drained once more', async (t) => {
  const left = [1, 0];
  const instance = (weight: number) => ({ id: 'i/1', weight, in_flight: left.shift() ?? 0 });
  const daemon = await fakeDaemon(t, ({ method }) => (method === 'POST' ? DRAINED : { items: [instance(0)] }));
  const { code, stdout, stderr } = await daemon.extreg('drain', 'a', 'i/1', '--reason', 'kernel', '--wait', '20s');
  t.deepEqual([code, stderr], [0, '']);
  t.is(
    stdout,
    'INSTANCE  WEIGHT  BEFORE  IN FLIGHT  REVISION  IN FORCE\ni/1       0       50      0          4         yes\n',
  );
  const list = 'GET /admin/extensions/a/instances';
  t.deepEqual(daemon.routes(), ['POST /admin/extensions/a/instances/i/1/drain', list, list]);
  t.like(daemon.asked[0]?.body, { reason: 'kernel' });
  const undrained = await fakeDaemon(t, ({ method }) => (method === 'POST' ? DRAINED : { items: [instance(50)] }));
  const { code: ended, stderr: why } = await undrained.extreg('drain', 'a', 'i/1', '--reason', 'x', '--wait', '20s');
  t.deepEqual([ended, undrained.routes().length], [1, 2]);
  t.regex(why, /weight 50 again/);
  const gone = await fakeDaemon(t, ({ method }) => (method === 'POST' ? DRAINED : { items: [] }));
  t.is((await gone.extreg('drain', 'a', 'i/1', '--reason', 'x', '--wait', '20s', '-q')).code, 0);
});

test('drain: without --wait it says what is in flight; with it 75 when that takes longer', async (t) => {
  const busy = { items: [{ id: 'i', weight: 0, in_flight: 3 }] };
  const daemon = await fakeDaemon(t, ({ method }) => (method === 'POST' ? DRAINED : busy));
  const now = await daemon.extreg('drain', 'a', 'i', '--reason', 'x');
  t.deepEqual([now.code, /\ni +0 +50 +3 +4 +yes\n$/.test(now.stdout)], [0, true]);
  const late = await daemon.extreg('drain', 'a', 'i', '--reason', 'x', '--wait', '10ms');
  t.is(late.code, 75);
  t.is(
    late.stderr,
    'extreg: instance i still has 3 calls in flight after 0s\nnext: repeat it to wait on, or extreg undrain a i\n',
  );
  t.is((await daemon.typing(['y'], 'drain', 'a', 'i', '--reason', 'x', '--wait', '10ms')).code, 75);
  const unknown = await fakeDaemon(t, () => new Problem(404, 'instance_not_found', 'none'));
  const { code, stderr } = await unknown.extreg('drain', 'a', 'i', '--reason', 'x');
  t.deepEqual([code, stderr], [1, 'extreg: instance_not_found: none\nnext: extreg show a lists the instances\n']);
});

test('undrain: the weight of before, or the one that is given', async (t) => {
  const daemon = await fakeDaemon(t, () => ({ weight: 50, was: 0, revision: 5, in_force: false }));
  const { stdout } = await daemon.extreg('undrain', 'a', 'i');
  t.is(
    stdout,
    'INSTANCE  WEIGHT  BEFORE  IN FLIGHT  REVISION  IN FORCE\ni         50      0       -          5         not yet\n',
  );
  await daemon.extreg('undrain', 'a', 'i', '--weight', '10', '-q');
  t.like(daemon.asked[1]?.body, { weight: 10 });
  t.false('weight' in ((daemon.asked[0]?.body ?? {}) as object));
  t.is((await daemon.extreg('undrain', 'a', 'i', '-q')).stdout, '');
});

test('reload: what was started, updated and removed; force is sent only where it was said', async (t) => {
  const daemon = await fakeDaemon(t, () => ({
    revision: 7,
    started: ['a', 'b'],
    updated: [],
    removed: [],
    held: null,
  }));
  const { code, stdout } = await daemon.extreg('reload');
  t.is(code, 0);
  t.is(stdout, 'FACT      VALUE\nrevision  7\nstarted   a, b\nupdated   -\nremoved   -\nheld      -\n');
  t.false('force' in ((daemon.asked[0]?.body ?? {}) as object));
  t.is((await daemon.extreg('reload', '--force', '--reason', 'x', '--yes')).code, 0);
  t.like(daemon.asked[1]?.body, { force: true, reason: 'x' });
});

test('inspect: the page of the console, a WebSocket with a ticket of its own, and the page of the bridge where a hosted inspector is configured', async (t) => {
  let isHosted = true;
  const daemon = await fakeDaemon(t, ({ path }) => {
    if (path === '/inspect/tickets') return { ticket: 't/1', expires_at: '', hosted_inspector: isHosted };
    return path === '/admin/extensions/a' ? { id: 'a', version: 'v1' } : null;
  });
  const ws = daemon.url.replace('http', 'ws');
  const { code, stdout, stderr } = await daemon.extreg('inspect', 'a@v2');
  t.is(code, 0);
  t.is(
    stdout,
    `console    ${daemon.url}/ui/inspect/a@v2\nwebsocket  ${ws}/inspect?extension=a&version=v2&ticket=t%2F1\nbridge     ${daemon.url}/ui/bridge?actor=a@v2\n`,
  );
  t.regex(
    (await daemon.extreg('inspect', 'a')).stdout,
    /\/ui\/inspect\/a@v1\n.*extension=a&ticket=.*\n.*actor=a@v1\n$/,
  );
  t.regex((await daemon.extreg('inspect', 'b')).stdout, /\/ui\/inspect\?q=b\n/, 'its version is not known');
  t.regex((await daemon.extreg('inspect')).stdout, /\/ui\/inspect\n.*extension=\*&ticket.*\/ui\/bridge\n$/s);
  t.is(stderr, '');
  t.is((await daemon.extreg('inspect', '-q')).stdout, `${ws}/inspect?extension=*&ticket=t%2F1\n`);
  t.deepEqual(JSON.parse((await daemon.extreg('inspect', 'a', '--json')).stdout), {
    console: `${daemon.url}/ui/inspect/a@v1`,
    bridge: `${daemon.url}/ui/bridge?actor=a@v1`,
    url: `${ws}/inspect?extension=a&ticket=t%2F1`,
  });
  isHosted = false;
  t.is(
    (await daemon.extreg('inspect', 'a@v2')).stdout,
    `console    ${daemon.url}/ui/inspect/a@v2\nwebsocket  ${ws}/inspect?extension=a&version=v2&ticket=t%2F1\n`,
  );
  t.is(JSON.parse((await daemon.extreg('inspect', 'a', '--json')).stdout).bridge, null);
  const open = await fakeDaemon(t, () => null);
  t.is((await open.extreg('inspect', 'a', '-q')).stdout, `${open.url.replace('http', 'ws')}/inspect?extension=a\n`);
  const forbidden = await fakeDaemon(t, () => new Problem(401, 'unauthenticated'));
  t.is((await forbidden.extreg('inspect', 'a')).code, 1);
});

const LEVELS = {
  level: 'info',
  components: [
    { component: 'db', level: 'debug', from: 'component' },
    { component: 'nats', level: 'info', from: 'all' },
  ],
  changed: [{ component: 'db', until: '2026-12-01T12:00:00.000Z' }],
};

test('log-level: what is logged, and until when; what is set is sent as it was said', async (t) => {
  const daemon = await fakeDaemon(t, () => LEVELS);
  const { code, stdout } = await daemon.extreg('log-level');
  t.is(code, 0);
  t.is(
    stdout,
    'COMPONENT  LEVEL  UNTIL\nall        info   -\ndb         debug  2026-12-01T12:00:00.000Z\nnats       info   -\n',
  );
  t.is((await daemon.extreg('log-level', 'debug', '--component', 'db', '--for', '10m', '-q')).code, 0);
  t.is((await daemon.extreg('log-level', 'configured', '-q')).code, 0);
  t.deepEqual(daemon.routes(), ['GET /admin/log-levels', 'PUT /admin/log-levels', 'PUT /admin/log-levels']);
  t.like(daemon.asked[1]?.body, { level: 'debug', component: 'db', for_seconds: 600 });
  t.like(daemon.asked[2]?.body, { level: null });
});

test('log-level: wrong usage says what is expected', async (t) => {
  const daemon = await fakeDaemon(t, () => LEVELS);
  for (const [args, expected] of [
    [['loud'], /trace, debug, info, warn, error, fatal, configured/],
    [['debug', '--component', 'nothing'], /access, admin/],
    [['--component', 'db'], /need a level/],
    [['configured', '--for', '5m'], /--for needs a level/],
    [['debug', '--for', 'long'], /a duration of at most 24h/],
  ] as const) {
    const { code, stderr } = await daemon.extreg('log-level', ...args);
    t.is(code, 64);
    t.regex(stderr, expected);
  }
  t.deepEqual(daemon.routes(), []);
});
