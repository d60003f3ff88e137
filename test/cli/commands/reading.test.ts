// `extreg show`, `history`, `audit`, `events`, `status` and --watch: what they ask for and print.
import test from 'ava';
import { main } from '../../../src/cli/main.js';
import { sparks } from '../../../src/cli/output/history-text.js';
import { until } from '../../helpers/until.js';
import { extensionHealth, fleetAnswer, healthSource } from '../../http/helpers.js';
import { type Asked, fakeDaemon, HELLO, Problem, stream } from '../fake-daemon.js';
import { Captured, commandIo, directory } from '../run.js';

const AT = '2026-03-02T23:14:01.000Z';
const AUDIT = [
  {
    id: 'r2',
    changed_at: AT,
    extension_id: 'a',
    action: 'disable',
    changed_by: 'system:auto-manager',
    reason: 'circuit opened',
    registry_revision: 4,
    changes: [{ path: '/enabled', from: true, to: false }],
  },
  {
    id: 'r1',
    changed_at: AT,
    extension_id: 'a',
    action: 'circuit_opened',
    changed_by: 'system:breaker',
    reason: 'failure_count',
    registry_revision: null,
    changes: [],
  },
];
/** As a daemon answers when it is asked: a command may be asked for long after this file was loaded. */
const one = () =>
  healthSource(
    extensionHealth('a', {
      circuit_breaker_state: 'open',
      trip_reason: 'error_rate',
      circuit_breaker_opened_at: new Date(Date.now() - 134_000).toISOString(),
    }),
  ).whole('a');
const showing = ({ path }: Asked): unknown => {
  if (path === '/admin/extensions/a/health') return { ...one(), open_remaining_ms: 46_000, refused_per_second: 48.2 };
  if (path === '/admin/extensions/a') return { id: 'a', subject: 'x.a\u001b[2J', revision: 3 };
  if (path === '/admin/extensions/a/versions')
    return {
      items: [
        {
          version: 'v1',
          enabled: true,
          subject: 's',
          timeout_ms: 5,
          rollout_percent: null,
          routing_rules: {},
          revision: 1,
          in_force: true,
        },
      ],
    };
  if (path === '/admin/extensions/a/instances')
    return {
      items: [{ id: 'i1', enabled: true, subject: 's', weight: 100, version: null, revision: 1, in_force: true }],
    };
  if (path === '/admin/audit') return { items: AUDIT, next: null };
  return null;
};

test('show: state and why, row, versions, instances, last changes, next steps', async (t) => {
  const daemon = await fakeDaemon(t, showing);
  const { code, stdout, stderr } = await daemon.extreg('show', 'a');
  t.deepEqual([code, stderr], [0, '']);
  t.regex(
    stdout,
    /^a {2}pre {2}v1 {2}▲ open for 2m1\ds\n {2}opened last for error_rate\n {2}probes in 46s\n {2}refuses 48\.2 calls\/s\n\nFIELD +VALUE\n/,
  );
  t.true(stdout.includes('x.a\\u001b[2J'));
  for (const part of [
    /\n\nVERSION +ENABLED/,
    /\n\nINSTANCE +ENABLED/,
    /\n\nWHEN +WHO +WHAT +CHANGE +WHY\n/,
    /\n\nNext:\n {2}extreg history a/,
  ])
    t.regex(stdout, part);
  t.regex(stdout, /system:auto-manager +disable +enabled true → false +circuit opened\n/);
  t.is(daemon.asked.find(({ path }) => path === '/admin/audit')?.query.toString(), 'extension_id=a&limit=5');
});

test('show: the last three failures and what the extension said; not for a viewer', async (t) => {
  const failure = {
    at: AT,
    kind: 'error',
    code: 500,
    message: 'no disk\u001b[2J',
    instance_id: 'i1',
    attempt: 1,
    duration_ms: 3.25,
  };
  const silent = { at: AT, kind: 'no_responders', instance_id: null, attempt: 1, duration_ms: 0.5 };
  const failures = [failure, silent, failure, { ...failure, message: 'too old' }];
  const daemon = await fakeDaemon(t, (asked) => (asked.path.endsWith('/failures') ? { failures } : showing(asked)));
  const { stdout } = await daemon.extreg('show', 'a');
  t.regex(
    stdout,
    /\n\nFAILED +KIND +CODE +AFTER ms +WHY +INSTANCE\n\S.* error +500 +3\.3 +no disk\\u001b\[2J +i1\n\S.* no_responders +- +0\.5 +- +-\n.*\n\nFIELD/,
  );
  t.notRegex(stdout, /too old/);
  const viewer = await fakeDaemon(t, (asked) =>
    asked.path.endsWith('/failures') ? new Problem(403, 'forbidden') : showing(asked),
  );
  const { code, stdout: shown } = await viewer.extreg('show', 'a');
  t.is(code, 0);
  t.notRegex(shown, /FAILED/);
});

for (const argv of [
  ['audit', 'b'],
  ['audit', 'b', '--since', '1h', '--json'],
  ['audit', 'b', '-f'],
  ['events', 'b'],
  ['events', 'b', '--json'],
  ['events', 'b', '-f'],
  ['inspect', 'b'],
  ['inspect', 'b@v1', '--json'],
])
  test(`extreg ${argv.join(' ')}: a mistyped id is an error, not an extension without news`, async (t) => {
    const daemon = await fakeDaemon(t, ({ path }, response) => {
      if (path === '/admin/audit') return { items: [], next: null };
      if (path === '/inspect/tickets') return { ticket: 'x' };
      if (path === '/admin/extensions/b') return new Problem(404, 'extension_not_found', "no extension 'b'");
      stream(response)('hello', HELLO);
      return undefined;
    });
    const { code, stdout, stderr } = await daemon.extreg(...argv);
    t.deepEqual([code, stdout], [1, '']);
    t.is(stderr, "extreg: extension_not_found: no extension 'b'\nnext: extreg ls lists the extensions\n");
  });

test('extreg inspect b@v9: a version that does not exist is an error, the default version needs no row of its own', async (t) => {
  const daemon = await fakeDaemon(t, ({ path }) => {
    if (path === '/inspect/tickets') return { ticket: 'x' };
    if (path === '/admin/extensions/b') return { id: 'b', version: 'v1' };
    return new Problem(404, 'version_not_found', "no version 'v9' of extension 'b'");
  });
  t.deepEqual(await daemon.extreg('inspect', 'b@v9'), {
    code: 1,
    stdout: '',
    stderr: "extreg: version_not_found: no version 'v9' of extension 'b'\nnext: extreg show b lists the versions\n",
  });
  t.is((await daemon.extreg('inspect', 'b@v1')).code, 0);
});

test('audit: an extension that was deleted has its trail, also where nothing of it is in that time', async (t) => {
  const daemon = await fakeDaemon(t, ({ path, query }) => {
    if (path === '/admin/audit') return { items: query.has('since') ? [] : AUDIT, next: null };
    return new Problem(404, 'extension_not_found');
  });
  t.deepEqual(await daemon.extreg('audit', 'a', '--since', '1h'), {
    code: 0,
    stdout: 'nothing was changed in that time\n',
    stderr: '',
  });
});

test('audit: why a breaker opened is said in words', async (t) => {
  const evidence = { overdue: 1, failures: 15, outcomes: 291, error_rate: 0.05, window_seconds: 60 };
  const opened = {
    ...AUDIT[1],
    version: 'v1',
    changes: [
      { path: '/version', from: null, to: 'v1' },
      { path: '/evidence', from: null, to: evidence },
    ],
  };
  const closed = {
    ...AUDIT[1],
    action: 'circuit_closed',
    version: 'v1',
    changes: [{ path: '/version', from: null, to: 'v1' }],
  };
  const daemon = await fakeDaemon(t, () => ({ items: [closed, opened], next: null }));
  t.regex(
    (await daemon.extreg('audit', 'a')).stdout,
    /circuit_closed +v1 +failure_count\n.*circuit_opened +v1: 15 failures and 1 overdue of 292 in 60 s +failure_count\n$/,
  );
});

test('show: without the database, and with a daemon that has no audit route, the rest is shown', async (t) => {
  const away = await fakeDaemon(t, (asked) =>
    asked.path.endsWith('/health') ? showing(asked) : new Problem(503, 'database_unavailable'),
  );
  const { code, stdout } = await away.extreg('show', 'a');
  t.is(code, 0);
  t.regex(stdout, /^a {2}pre .*the database is away: the row is not shown\n\nNext:\n/s);
  const old = await fakeDaemon(t, (asked) => (asked.path === '/admin/audit' ? null : showing(asked)));
  t.notRegex((await old.extreg('show', 'a')).stdout, /WHEN/);
  const none = await fakeDaemon(t, () => new Problem(404, 'extension_not_found'));
  t.is((await none.extreg('show', 'b')).code, 1);
});

test('show: rows that come from memory say so, and what they lack', async (t) => {
  const row = { from: 'memory' };
  const daemon = await fakeDaemon(t, (asked) => {
    if (asked.path === '/admin/audit') return new Problem(503, 'database_unavailable');
    if (asked.path.endsWith('/versions/v1')) return row;
    return asked.path === '/admin/extensions/a' ? row : showing(asked);
  });
  const note =
    /\nfrom +memory\n\nthe database is away: rows are from the memory of the daemon, without metadata, thresholds and who made them;\nset, unset and delete need the database\n/;
  for (const argv of [
    ['show', 'a'],
    ['show', 'a', '--version', 'v1'],
  ]) {
    t.regex((await daemon.extreg(...argv)).stdout, note);
    t.notRegex((await daemon.extreg(...argv, '-q')).stdout, /the database is away/);
    t.deepEqual(JSON.parse((await daemon.extreg(...argv, '--json')).stdout), row);
  }
});

test('history: sparks of calls and latency, and marks as lines', async (t) => {
  const none = new Array<null>(3).fill(null);
  const history = {
    step: 60,
    start: 1_772_492_400,
    calls: [null, 0, 10, 50, 100],
    failed: [null, 0, 0, 5, 0],
    refused: [...none, 0, 0],
    p95: [...none, 20.04, 40],
    marks: [{ at: AT, kind: 'circuit_opened', version: 'v1', actor: 'system:breaker', reason: 'failure_count' }],
    begins: 1_772_492_460,
  };
  const daemon = await fakeDaemon(t, () => history);
  const { code, stdout } = await daemon.extreg('history', 'a', '--version', 'v1', '--since', '1h');
  t.is(code, 0);
  t.regex(stdout, /^a {2}.* to .*, a spark for 1 min\nnothing is known of before .*: the daemon started\n\n/);
  t.true(stdout.includes('calls     ▁▂▃▇  up to 100\nfailed    ▁▁▇▁  up to 5\nrefused     '), stdout);
  t.regex(
    stdout,
    /\np95 +▃▇ {2}up to 40 ms\n\nWHEN +WHAT +VERSION +WHO +WHY\n.* circuit_opened +v1 +system:breaker +failure_count\n$/,
  );
  const [asked] = daemon.asked;
  t.deepEqual(
    [asked?.path, asked?.query.get('version'), asked?.query.get('step')],
    ['/admin/extensions/a/history', 'v1', '60'],
  );
  t.true(Math.abs(Number(asked?.query.get('from')) - (Date.now() / 1000 - 3600)) < 60);
  t.is(sparks([0, 1, 20, 40, 60, 80, 100, null]), '▁▂▂▂▃▅▇ ');
  t.is(sparks([0, 0]), '▁▁');
});

test('history on a narrow terminal: slots are joined, sums by sum and latency by its most', async (t) => {
  const calls = Array.from({ length: 240 }, (_, i) => i % 2);
  const daemon = await fakeDaemon(t, () => ({
    step: 60,
    start: 0,
    calls,
    failed: calls,
    refused: calls,
    p95: calls,
    marks: [],
    begins: null,
  }));
  const { stdout } = await daemon.typing([], 'history', 'a');
  t.regex(stdout, /\ncalls {4}(▃▇){40} {2}up to 2\n/);
  t.regex(stdout, /\np95 {6}▇{80} {2}up to 1 ms\n/);
});

test('audit: one line a row, filtered by the daemon', async (t) => {
  const daemon = await fakeDaemon(t, () => ({ items: AUDIT, next: 'x' }));
  const { stdout } = await daemon.extreg(
    'audit',
    'a',
    '--by',
    'ada',
    '--action',
    'disable',
    '--since',
    '2026-03-02T03:00:00Z',
  );
  t.regex(
    stdout,
    /^WHEN +WHO +WHAT +CHANGE +WHY\n.*enabled true → false.*\n.*circuit_opened +- +failure_count\nolder ones are not shown/,
  );
  t.is(
    daemon.asked[0]?.query.toString(),
    'extension_id=a&by=ada&action=disable&since=2026-03-02T03%3A00%3A00.000Z&limit=50',
  );
  t.regex((await daemon.extreg('audit')).stdout, / ID\n/);
  t.deepEqual(JSON.parse((await daemon.extreg('audit', '--json')).stdout), { items: AUDIT, next: 'x' });
});

/** Runs a command that follows until `isEnough`, and then lets its reader go. */
async function followed(argv: readonly string[], cwd: string, isEnough: (printed: string) => boolean) {
  const [stdout, stderr] = [new Captured(), new Captured()];
  const running = main(argv, commandIo({ cwd, stdout, stderr }));
  await until(`${argv.join(' ')}: ${stdout.text} ${stderr.text}`, () => isEnough(stdout.text), 20_000);
  const { text } = stdout;
  stdout.destroy();
  return { code: await running, stdout: text, stderr: stderr.text };
}

test('audit -f: the last rows, oldest first, and then each once, when the daemon says that something happened', async (t) => {
  const rows = [AUDIT[1], AUDIT[0]];
  const daemon = await fakeDaemon(t, ({ path }, response) => {
    if (path === '/admin/audit') return { items: rows.toReversed(), next: null };
    const send = stream(response);
    send('hello', HELLO);
    send('daemon', { revision: 1 });
    rows.push({
      ...(AUDIT[0] as (typeof AUDIT)[0]),
      id: 'r3',
      changed_at: '2026-03-02T23:15:00.000Z',
      action: 'release',
      changed_by: 'ada',
    });
    return undefined;
  });
  const args = ['audit', '-f', '--json', '--url', daemon.url];
  const { code, stdout } = await followed(args, directory(t), (printed) => printed.split('\n').length > 3);
  t.is(code, 0);
  t.deepEqual(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { action: string }).action),
    ['circuit_opened', 'disable', 'release'],
  );
});

test('audit -f: many events are one reading, and a database that is away is asked again', async (t) => {
  let readings = 0;
  const more = { ...(AUDIT[0] as (typeof AUDIT)[0]), id: 'r3', action: 'release' };
  const daemon = await fakeDaemon(t, ({ path }, response) => {
    if (path === '/admin/audit') {
      readings++;
      if (readings === 2) return new Problem(503, 'database_unavailable');
      return { items: readings === 1 ? AUDIT : [more, ...AUDIT], next: null };
    }
    const send = stream(response);
    send('hello', HELLO);
    for (let n = 0; n < 500; n++) send('event', EVENT, `b1-${n}`);
    return undefined;
  });
  const args = ['audit', '-f', '--json', '--url', daemon.url];
  const { code, stdout, stderr } = await followed(args, directory(t), (printed) => printed.includes('release'));
  t.deepEqual([code, stdout.trimEnd().split('\n').length], [0, 3]);
  t.is(stderr, 'extreg: database_unavailable: a detail; reading it again\n');
  t.is(readings, 3);
});

test('audit -f: a refusal that waiting does not help ends it', async (t) => {
  let readings = 0;
  const daemon = await fakeDaemon(t, ({ path }, response) => {
    if (path === '/admin/audit') return ++readings === 1 ? { items: [], next: null } : new Problem(403, 'forbidden');
    const send = stream(response);
    send('hello', HELLO);
    send('daemon', {});
    return undefined;
  });
  const { code, stderr } = await daemon.extreg('audit', '-f');
  t.deepEqual([code, stderr], [1, 'extreg: forbidden: a detail\n']);
});

const EVENT = {
  event: 'circuit_opened',
  extension_id: 'a',
  version: 'v1',
  at: AT,
  reason: 'failure_count',
  actor: 'system:breaker',
};

test('events: those that the daemon has kept, by resuming after none', async (t) => {
  const daemon = await fakeDaemon(t, ({ headers }, response) => {
    const send = stream(response);
    send('hello', HELLO);
    if (headers['last-event-id'] !== 'b1-0') return undefined;
    send('gap', { missed: 4, since: AT });
    for (let n = 5; n < 10; n++) send('event', { ...EVENT, extension_id: `e${n}` }, `b1-${n}`);
    return undefined;
  });
  const { code, stdout } = await daemon.extreg('events', '--kinds', 'circuit_opened', '--last', '2');
  t.is(code, 0);
  t.regex(
    stdout,
    /^.* circuit_opened +e8@v1 {2}failure_count {2}system:breaker\n.* e9@v1 .*\n3 before these: --last; 4 are gone; extreg audit has what was before\n$/,
  );
  t.is(daemon.asked[0]?.query.toString(), 'topics=events&kinds=circuit_opened');
  const json = JSON.parse((await daemon.extreg('events', '--json')).stdout) as { events: unknown[] };
  t.is(json.events.length, 5);
});

test('events: what comes late, since the connection took long, is shown', async (t) => {
  const daemon = await fakeDaemon(t, ({ headers }, response) => {
    const send = stream(response);
    if (headers['last-event-id'] === undefined) return send('hello', HELLO);
    const timer = setTimeout(() => {
      send('hello', HELLO);
      send('event', EVENT, 'b1-1');
    }, 1000);
    t.teardown(() => clearTimeout(timer));
    return undefined;
  });
  t.regex((await daemon.extreg('events')).stdout, /circuit_opened/);
});

test('events -f: each as it happens, and on a lost connection a word on standard error', async (t) => {
  let streams = 0;
  const daemon = await fakeDaemon(t, ({ headers }, response) => {
    streams++;
    const send = stream(response);
    send('hello', HELLO);
    send('event', { ...EVENT, reason: `after ${headers['last-event-id'] ?? 'none'}\u001b[2J` }, `b1-${streams}`);
    if (streams === 1) response.end();
    return undefined;
  });
  const { code, stdout, stderr } = await followed(
    ['events', '-f', '--url', daemon.url],
    directory(t),
    (printed) => printed.split('\n').length > 2,
  );
  t.is(code, 0);
  t.regex(stdout, /after none\\u001b\[2J .*\n.*after b1-1\\u001b\[2J/);
  t.is(stderr, 'extreg: the connection was lost; connecting again\n');
});

test('status: every fact by its name; what is owed is called pending', async (t) => {
  const daemon = await fakeDaemon(t, () => ({
    version: '0.1.0',
    ready: true,
    degraded: ['database'],
    owed: { verbs: 0 },
    streams: null,
  }));
  const { stdout } = await daemon.extreg('status');
  t.is(
    stdout,
    'FACT           VALUE\nversion        0.1.0\nready          yes\ndegraded       database\npending.verbs  0\nstreams        -\n',
  );
});

test('fleet: a line for each replica, the one that was asked marked; --json as the daemon answers', async (t) => {
  const daemon = await fakeDaemon(t, () => fleetAnswer);
  const { stdout } = await daemon.extreg('fleet');
  const lines = stdout.trimEnd().split('\n');
  t.is(lines[0], '1 live replica; scope private (no_records) since 2025-01-27T12:00:00.000Z');
  t.deepEqual(
    lines.slice(2).map((line) => line.split(/ {2,}/)),
    [
      ['web-1 (asked)', 'live', '1.2.3', 'web-1', '40', '12 s', '42', '0', '1.5', '2', '0.25 ms'],
      ['web-2', 'draining', '1.2.3', 'web-2', '41', '12 s', '-', '-', '1.5', '2', '0.25 ms'],
    ],
  );
  t.deepEqual(JSON.parse((await daemon.extreg('fleet', '--json')).stdout), fleetAnswer);
});

test('--watch: again and again, errors in between are shown, and with --json a line each time', async (t) => {
  let asked = 0;
  const daemon = await fakeDaemon(t, () =>
    ++asked === 2 ? new Problem(503, 'database_unavailable', 'away') : { n: asked },
  );
  const text = await followed(['status', '--watch=0.1', '--url', daemon.url], directory(t), (printed) =>
    printed.includes('n     3'),
  );
  t.is(text.code, 0);
  t.regex(text.stdout, /^FACT +VALUE\nn +1\nextreg: database_unavailable: away\nFACT +VALUE\nn +3\n/);
  asked = 2;
  const json = await followed(['status', '--watch=0.1', '--json', '--url', daemon.url], directory(t), (printed) =>
    printed.includes('{"n":4}\n'),
  );
  t.regex(json.stdout, /^\{"n":3\}\n\{"n":4\}\n/);
  asked = 1;
  t.is((await daemon.extreg('status', '--watch')).code, 1, 'the first time it has to succeed');
});
