// `extreg ls`: the board as a table.
import test from 'ava';
import { targetHealth } from '../../http/helpers.js';
import { type Asked, fakeDaemon, Problem } from '../fake-daemon.js';

const health = {
  state: 'closed',
  since: null,
  success_rate: 1,
  p95_latency_ms: 28.94,
  calls_per_second: 3,
  failed_per_second: 0,
  refused_per_second: 0,
  recovering: false,
  canary: false,
  ejected_instance: false,
  no_call_ever: false,
};
const item = (id: string, own: object = {}, more: object = {}) => ({
  id,
  type: 'pre',
  auto_disabled: false,
  in_force: true,
  refused: null,
  health: { ...health, ...own },
  ...more,
});
const since = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();
/** As a daemon answers when it is asked: in the long form a command is asked for long after this file was loaded. */
const itemsNow = () => [
  item(
    'pii_guard',
    { state: 'open', since: since(134), refused_per_second: 48.2, success_rate: 0.937 },
    { auto_disabled: true },
  ),
  item('shout', { state: 'isolated', since: since(3780), success_rate: null, p95_latency_ms: null }),
  item('mask_pii', { state: 'half_open', since: since(12) }),
];
const openHealth = {
  ...targetHealth,
  circuit_breaker_state: 'open',
  trip_reason: 'failure_count',
  trip_evidence: {
    failures: 5,
    outcomes: 77,
    overdue: 0,
    error_rate: 0.06,
    window_seconds: 60,
    first_failure: null,
    last_failure: null,
  },
};
const one = {
  id: 'pii_guard',
  enabled: false,
  auto_disabled: true,
  override: null,
  versions: [],
  open_remaining_ms: 46_000,
  health: openHealth,
};
const halfOpen = {
  ...one,
  id: 'mask_pii',
  enabled: true,
  auto_disabled: false,
  open_remaining_ms: null,
  health: { ...openHealth, circuit_breaker_state: 'half_open', half_open_requests_count: 1 },
};

const answering = ({ path, query }: Asked): unknown => {
  if (path === '/admin/extensions') {
    if (query.get('wrong') === null) return { items: [item('a')], next: null, total: 10_003, revision: 9 };
    return { items: itemsNow(), next: null, total: 3, revision: 9 };
  }
  if (path === '/admin/extensions/pii_guard/health') return one;
  if (path === '/admin/extensions/mask_pii/health') return halfOpen;
  if (path === '/admin/audit')
    return {
      items: [
        {
          changed_at: '',
          extension_id: 'shout',
          action: 'isolate',
          changed_by: 'ada',
          reason: 'returns garbage',
          changes: [],
          registry_revision: 1,
        },
      ],
      next: null,
    };
  return null;
};

test('ls --wrong: state, since when, why and until when, in the order of the daemon', async (t) => {
  const daemon = await fakeDaemon(t, answering);
  const { code, stdout, stderr } = await daemon.extreg('ls', '--wrong');
  t.deepEqual([code, stderr], [0, '']);
  t.is(
    stdout.replace(/2m\d\ds/, '2m14s').replace(/ 1\ds {4}/, ' 12s    '),
    `STATE        FOR    SUCCESS  CALLS/S  REFUSED/S  P95 ms  NOTE                                                                    ID
▲ open       2m14s   93.7 %      3.0       48.2    28.9  auto-disabled; failure_count (5 failures of 77 in 60 s); probes in 46s  pii_guard
■ isolated   1h03m        -      3.0        0.0       -  by ada: returns garbage                                                 shout
◐ half-open  12s    100.0 %      3.0        0.0    28.9  failure_count (5 failures of 77 in 60 s); 1 probe in flight             mask_pii
3 of 10003 need a look.  Next: extreg show pii_guard
`,
  );
  t.is(daemon.asked.find(({ path }) => path === '/admin/audit')?.query.get('action'), 'isolate');
});

test('ls -q: only the ids; --json: what the daemon says; neither asks for reasons', async (t) => {
  const daemon = await fakeDaemon(t, answering);
  t.is((await daemon.extreg('ls', '--wrong', '-q')).stdout, 'pii_guard\nshout\nmask_pii\n');
  const { items, total } = JSON.parse((await daemon.extreg('ls', '--wrong', '--json')).stdout);
  const ageless = (of: readonly object[]) => of.map((one) => JSON.stringify(one).replace(/"since":"[^"]*"/, ''));
  t.deepEqual([ageless(items), total], [ageless(itemsNow()), 3]);
  t.deepEqual(daemon.routes(), ['GET /admin/extensions', 'GET /admin/extensions']);
});

test('ls: filters and order are those of the admin API; all pages are read, or as many as --limit says', async (t) => {
  const pages: Asked[] = [];
  const daemon = await fakeDaemon(t, (asked) => {
    pages.push(asked);
    const after = asked.query.get('after');
    const limit = Number(asked.query.get('limit'));
    const items = Array.from({ length: Math.min(limit, 1000) }, (_, i) => item(`${after ?? 'p0'}-${i}`));
    return { items, next: after === 'p2' ? null : after === 'p1' ? 'p2' : 'p1', total: 3000, revision: 1 };
  });
  const all = await daemon.extreg(
    'ls',
    'PII',
    '--state',
    'open,half-open',
    '--type',
    'pre',
    '--sort',
    '-refused_per_second',
    '-q',
  );
  t.is(all.stdout.split('\n').length, 3001);
  t.deepEqual(
    pages.map(({ query }) => [
      query.get('q'),
      query.get('state'),
      query.get('type'),
      query.get('sort'),
      query.get('after'),
    ]),
    [null, 'p1', 'p2'].map((after) => ['PII', 'open,half_open', 'pre', '-refused_per_second', after]),
  );
  pages.length = 0;
  const some = await daemon.extreg('ls', '--limit', '1001');
  t.deepEqual(
    pages.map(({ query }) => query.get('limit')),
    ['1000', '1'],
  );
  t.regex(some.stdout, /\n3000 extensions; 1999 more are not shown\n$/);
});

test('ls: nothing wrong, a row that was never valid, and an id that a terminal would obey', async (t) => {
  const well = await fakeDaemon(t, ({ query }) => ({
    items: [],
    next: null,
    total: query.has('wrong') ? 0 : 5,
    revision: 1,
  }));
  t.is((await well.extreg('ls', '--wrong')).stdout, 'nothing needs a look: all 5 are well\n');
  const broken = item('a\u001b[2J', {}, { in_force: false, refused: ['type must be one of x'], health: null });
  const daemon = await fakeDaemon(t, () => ({ items: [broken], next: null, total: 1, revision: 1 }));
  const { stdout } = await daemon.extreg('ls', '--wrong');
  t.regex(
    stdout,
    /\n- .* its row is refused: type must be one of x {2}a\\u001b\[2J\n1 of 1 needs a look\. {2}Next: extreg show a\\u001b\[2J\n$/,
  );
});

test('ls --wrong: an extension that is gone meanwhile, and a database that is away, cost only the reason', async (t) => {
  const daemon = await fakeDaemon(t, (asked) =>
    asked.path === '/admin/extensions'
      ? answering(asked)
      : new Problem(
          asked.path === '/admin/audit' ? 503 : 404,
          asked.path === '/admin/audit' ? 'database_unavailable' : 'extension_not_found',
        ),
  );
  const { code, stdout } = await daemon.extreg('ls', '--wrong');
  t.is(code, 0);
  t.regex(stdout, /▲ open .* auto-disabled +pii_guard\n■ isolated .* - +shout\n/);
});

test('ls on a terminal: coloured states, and lines that fit', async (t) => {
  const daemon = await fakeDaemon(t, answering);
  const { stdout } = await daemon.typing([], 'ls', '--wrong');
  t.true(stdout.includes('\u001b[31m▲ open\u001b[0m'));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are written as these
  for (const line of stdout.replace(/\u001b\[\d+m/g, '').split('\n')) t.true(line.length <= 120, line);
  t.false((await daemon.typing([], 'ls', '--wrong', '--color', 'never')).stdout.includes('\u001b'));
});
