// What the console says, without a browser: numbers, times, reasons, questions, addresses, filters and the stream.
import test from 'ava';
import {
  deleteWords,
  drainWords,
  type Facts,
  rolloutWords,
  undoOf,
  VERB_WORDS,
  verbsFor,
  verbWords,
} from '../../console/actions/texts.js';
import { summedUp } from '../../console/app/live-region.js';
import { chartMarks, markLine } from '../../console/charts/history-marks.js';
import { changeRows, putOverview, rowOf } from '../../console/live/board.js';
import { events, newerThan, putEvent } from '../../console/live/news.js';
import { serverEvents } from '../../console/live/sse.js';
import { filterOf, matcher, sorted, sortedBy, sortOf, sortText } from '../../console/pages/list-query.js';
import { extensionPath, inspectPath, match } from '../../console/url/paths.js';
import { count, ms, percent, rate, some } from '../../console/words/numbers.js';
import { next, reasonOpen, stateOf, trip } from '../../console/words/reasons.js';
import { flagWords, needsLook, wordOf } from '../../console/words/states.js';
import { duration, moment } from '../../console/words/times.js';
import { changeLine, evidenceText, valueText, whoText } from '../../console/words/why.js';
import type { BoardEntry } from '../../src/domain/board-codes.js';
import { until } from '../helpers/until.js';

/** Blanks that are not broken, as blanks. */
const plain = (text: string): string => text.replaceAll(/[\u00a0\u202f]/g, ' ');

test('numbers: null is a dash and never 0; what is not all is never shown as all', (t) => {
  t.deepEqual([count(null), rate(undefined), percent(null), ms(null)], ['–', '–', '–', '–']);
  t.deepEqual([count(0), count(10_003), count(1_234_567)].map(plain), ['0', '10 003', '1 234 567']);
  t.deepEqual([rate(0), rate(48.23), rate(99.96), rate(18_204.4)].map(plain), ['0.0', '48.2', '100', '18 204']);
  t.deepEqual([percent(1), percent(0.99999), percent(0), percent(0.0001), percent(0.937)].map(plain), [
    '100.0 %',
    '99.9 %',
    '0.0 %',
    '0.1 %',
    '93.7 %',
  ]);
  t.deepEqual([ms(2.34), ms(9.96), ms(1234.5)].map(plain), ['2.3', '10', '1 235']);
  t.deepEqual([some(1, 'row'), some(2, 'row')].map(plain), ['1 row', '2 rows']);
});

test('times: short, with two units at most', (t) => {
  const texts = [-5, 0, 46_000, 59_600, 134_000, 3_780_000, 3 * 86_400_000 + 4 * 3_600_000].map(duration);
  t.deepEqual(texts.map(plain), ['0 s', '0 s', '46 s', '1 m 00 s', '2 m 14 s', '1 h 03 m', '3 d 04 h']);
  const now = new Date(2026, 0, 27, 3, 12, 9);
  t.is(moment(now, now), '03:12:09');
  t.is(moment(new Date(2026, 0, 26, 23, 1, 2), now), '2026-01-26 23:01:02');
});

const evidence = {
  failures: 5,
  outcomes: 77,
  slow: 0,
  overdue: 0,
  error_rate: 0.06,
  window_seconds: 60,
  first_failure: null,
  last_failure: null,
};

test('reasons: why in numbers, how often in a row, and when it tries again', (t) => {
  const one = { trip_reason: 'failure_count', trip_evidence: evidence, circuit_breaker_trips: 1 };
  t.is(plain(trip(one)), '5 failures of 77 in 60 s (failure_count)');
  t.is(
    plain(trip({ ...one, trip_evidence: { ...evidence, failures: 1, overdue: 2 }, circuit_breaker_trips: 3 })),
    '1 failure and 2 overdue of 79 in 60 s (failure_count), 3rd trip in a row',
  );
  for (const [trips, word] of [
    [2, '2nd'],
    [11, '11th'],
    [12, '12th'],
    [21, '21st'],
    [113, '113th'],
  ] as const)
    t.true(trip({ ...one, circuit_breaker_trips: trips }).endsWith(`, ${word} trip in a row`), word);
  t.is(trip({ trip_reason: null, trip_evidence: null, circuit_breaker_trips: 0 }), '');
  t.is(trip({ trip_reason: 'probe_failed', trip_evidence: null, circuit_breaker_trips: 1 }), 'probe_failed');
  t.is(plain(reasonOpen(one)), '5 failures of 77 in 60 s (failure_count)');
  t.is(
    reasonOpen({ trip_reason: null, trip_evidence: null, circuit_breaker_trips: 4 }),
    'opened before the daemon was started',
  );
  const breaker = { circuit_breaker_open_until: '2026-01-27T12:00:46.000Z', half_open_requests_count: 1 };
  const now = Date.parse('2026-01-27T12:00:00.000Z');
  t.is(plain(next('open', breaker, now)), 'probes in 46 s');
  t.is(next('open', breaker, now + 60_000), 'the next call is a probe');
  t.is(plain(next('half_open', breaker, now, 3)), '1 of 3 probes in flight');
  t.deepEqual([next('isolated', breaker, now), next('closed', breaker, now)], ['', '']);
  const health = { circuit_breaker_state: 'open' } as Parameters<typeof stateOf>[0]['health'];
  t.is(stateOf({ enabled: false, auto_disabled: true, override: null, health }), 'open');
  t.is(stateOf({ enabled: false, auto_disabled: false, override: 'isolated', health }), 'disabled');
  t.is(stateOf({ enabled: true, auto_disabled: false, override: 'isolated', health }), 'isolated');
});

test('states: words beside a state, and what needs a look', (t) => {
  t.deepEqual(flagWords(1 | 2 | 32), ['auto-disabled', 'recovering', 'never called']);
  t.deepEqual([wordOf('half_open'), wordOf('forced_closed')], ['half-open', 'forced closed']);
  t.deepEqual(
    [needsLook(0, 0), needsLook(0, 4), needsLook(1, 0), needsLook(0, 8), needsLook(5, 0)],
    [false, false, true, true, true],
  );
});

const facts: Facts = {
  id: 'pii_guard',
  state: 'open',
  isAutoDisabled: false,
  calls: 48,
  refused: 48,
  successRate: 0.77,
};

test('actions: the question and what happens to callers now, with numbers of now', (t) => {
  const text = (...given: Parameters<typeof verbWords>) => {
    const { question, text } = verbWords(...given);
    return plain(`${question} ${text}`);
  };
  t.is(
    text('isolate', facts),
    'Isolate pii_guard? Every call is refused from now on, 48 a second. It stays so until an operator releases it.',
  );
  t.is(
    text('force-closed', facts),
    'Keep the breaker of pii_guard closed? Every call reaches it, though 23.0 % fail now.',
  );
  t.is(
    text('release', { ...facts, state: 'isolated' }, null, 3),
    'Release pii_guard? It goes to half-open: 3 probes at a time decide.',
  );
  t.regex(text('enable', { ...facts, isAutoDisabled: true }), /disabled automatically: it begins half-open/);
  t.regex(text('enable', facts, 'ada'), /disabled by ada: it begins closed, with a slow start/);
  t.regex(text('disable', { ...facts, calls: 0 }), /error disabled\. Nothing enables it automatically/);
  t.regex(plain(drainWords('x', 'a', 3, ['b', 'c']).text), /^3 are in flight\. b and c take its share\.$/);
  t.regex(plain(drainWords('x', 'a', 1, []).text), /^1 is in flight\. No other instance/);
  t.regex(plain(drainWords('x', 'a', 0, ['b', 'c', 'd', 'e']).text), /b, c, d and 1 more take its share/);
  t.is(rolloutWords('v2', 25, 5, 'v1').question, 'Give v2 25 % of the callers (now 5 %)?');
  t.regex(rolloutWords('v2', 25, 5, 'v1').text, /v1 keeps 75 %/);
  t.is(rolloutWords('v2', null, 5, 'v1').question, 'Take v2 out of the rollout?');
  t.is(plain(deleteWords('x', 3, 1).question), 'Delete x with 3 versions and 1 instance?');
});

test('actions: what is offered fits the state, and an undo puts back the state before', (t) => {
  t.deepEqual(verbsFor('disabled', false), ['enable', 'isolate']);
  t.true(verbsFor('open', true).includes('enable'));
  t.false(verbsFor('open', false).includes('enable'));
  t.true(verbsFor('isolated', false).includes('release'));
  const undos = (state: Parameters<typeof verbsFor>[0], isAutoDisabled = false) =>
    Object.fromEntries(
      (Object.keys(VERB_WORDS) as (keyof typeof VERB_WORDS)[]).map((verb) => [
        verb,
        undoOf(verb, { state, isAutoDisabled }),
      ]),
    );
  const none = { isolate: null, release: null, disable: null, enable: null, 'force-closed': null, reset: null };
  t.deepEqual(undos('closed'), { ...none, isolate: 'release', disable: 'enable', 'force-closed': 'release' });
  t.deepEqual(
    undos('open', true),
    { ...none, isolate: 'release', 'force-closed': 'release' },
    'it was disabled by the daemon',
  );
  t.deepEqual(undos('isolated'), { ...none, release: 'isolate', disable: 'enable', 'force-closed': 'isolate' });
  t.deepEqual(undos('forced_closed'), { ...none, disable: 'enable' }, 'to keep it closed asks for its name');
  t.deepEqual(undos('disabled'), { ...none, enable: 'disable', isolate: 'release', 'force-closed': 'release' });
});

test('why: rows of the trail in a line', (t) => {
  const row = {
    ...{ id: '1', changed_at: '', changed_by: 'token:ada', extension_id: 'mask_pii', version: 'v2', instance_id: null },
    ...{ action: 'version_rollout', reason: null, registry_revision: 4, revision: 2, cut: false },
    changes: [{ path: '/rollout_percent', from: 5, to: 25 }],
  };
  t.is(changeLine(row), 'ada: version rollout mask_pii@v2 5 → 25');
  const token = { ...row, extension_id: '_', version: null };
  t.is(
    changeLine({
      ...token,
      action: 'token_created',
      changes: [
        { path: '/name', from: null, to: 'bob' },
        { path: '/role', from: null, to: 'viewer' },
      ],
    }),
    'ada: token created bob',
  );
  t.is(
    changeLine({ ...token, action: 'token_revoked', changes: [{ path: '/name', from: 'bob' }] }),
    'ada: token revoked bob',
  );
  t.is(
    changeLine({ ...row, changed_by: 'system:breaker', action: 'circuit_opened', changes: [] }),
    'circuit opened mask_pii@v2',
  );
  t.is(plain(evidenceText({ changes: [{ path: '/evidence', to: evidence }] }) ?? ''), '5 failures of 77 in 60 s');
  t.is(evidenceText({ changes: [{ path: '/evidence', to: { failures: 1 } }] }), null);
  t.deepEqual(
    [valueText(null), valueText(''), valueText({ a: 1 }), valueText('x'.repeat(99)).length],
    ['–', '', '{"a":1}', 61],
  );
  t.deepEqual([whoText('local:ada'), whoText('db:postgres'), whoText(null)], ['ada', 'db:postgres', 'unknown']);
});

test('marks: each transition in its colour, the start of the daemon before them, and a line of text for each', (t) => {
  const mark = {
    at: '2026-01-27T12:00:00.000Z',
    kind: 'circuit_opened',
    version: 'v1',
    actor: 'system:breaker',
    evidence,
  };
  const marks = chartMarks([mark, { ...mark, kind: 'version_rollout' }], 100);
  t.deepEqual(
    marks.map(({ label, colour, isDashed }) => [label, colour, isDashed]),
    [
      ['daemon started', 'dim', true],
      ['opened', 'open', false],
      ['version rollout', 'link', true],
    ],
  );
  t.is(plain(markLine(mark)), 'circuit opened: 5 failures of 77 in 60 s');
  t.is(
    markLine({ at: mark.at, kind: 'isolate', version: null, actor: 'admin:ada', reason: 'garbage' }),
    'isolate, by ada: garbage',
  );
});

test('live region: one sentence for what happened, and numbers for many', (t) => {
  const event = (kind: string, id: string) =>
    ({ event: kind, extension_id: id }) as Parameters<typeof summedUp>[0][number];
  t.is(summedUp([event('circuit_opened', 'a')]), 'a is open: its calls are refused.');
  t.is(summedUp([event('circuit_opened', 'a'), event('auto_disabled', 'a')]), 'a was disabled automatically.');
  t.is(summedUp([event('circuit_opened', 'a'), event('circuit_opened', 'b')]), '2 changes of 2 extensions, 2 opened.');
  t.is(summedUp([event('instance_ejected', 'a')]), '');
});

test('paths: an address and its parts, whatever is in an id', (t) => {
  for (const id of ['pii_guard', 'a/b', 'a@b', 'a b', 'ä', '%'])
    t.deepEqual(match('/ui/inspect/:id@:version', inspectPath(id, 'v1@x')), { id, version: 'v1@x' }, id);
  t.deepEqual(match('/ui/extensions/:id/policy', extensionPath('a/b', 'policy')), { id: 'a/b' });
  t.deepEqual(match('/', '/'), {});
  // As other programs pass it on.
  t.deepEqual(match('/ui/inspect/:id@:version', '/ui/inspect/a%40v1%40x'), { id: 'a', version: 'v1@x' });
  t.deepEqual(match('/ui/inspect/:id@:version', '/ui/inspect/a@v1@x'), { id: 'a', version: 'v1@x' });
  t.is(match('/ui/inspect/:id@:version', '/ui/inspect/a'), null);
  t.deepEqual(match('/ui/events', '/ui/events/'), {});
  for (const path of ['/ui/extensions', '/ui/extensions/', '/ui/extensions/a/b', '/ui/extensions/%E0%A4%A'])
    t.is(match('/ui/extensions/:id', path), null, path);
});

const entry = (id: string, more: Partial<BoardEntry> = {}): BoardEntry => ({
  ...{ k: 1, id, type: 'pre', version: 'v1', state: 0, flags: 0, success_rate: null, p50: null, p95: null, p99: null },
  ...{ calls: 0, failed: 0, refused: 0, since: null },
  ...more,
});

test('list: filters of an address; what is unknown in an old address is left out', (t) => {
  const matches = (query: string) => {
    const accepts = matcher(filterOf(new URLSearchParams(query)));
    const all = [entry('pii_guard', { state: 1 }), entry('MASK_PII', { flags: 1 }), entry('shout', { type: 'post' })];
    return all.filter(accepts).map(({ id }) => id);
  };
  t.deepEqual(matches('q=pii'), ['pii_guard', 'MASK_PII']);
  t.deepEqual(matches('state=open,half_open'), ['pii_guard']);
  t.deepEqual(matches('type=post'), ['shout']);
  t.deepEqual(matches('flag=auto_disabled'), ['MASK_PII']);
  t.deepEqual(matches('flag=wrong'), ['pii_guard', 'MASK_PII']);
  t.deepEqual(matches('q=pii&state=closed'), ['MASK_PII']);
  t.is(matches('state=nonsense&flag=nonsense&sort=nonsense').length, 3);
});

test('list: order by any column, null last either way, the id ends it; by impact unless asked', (t) => {
  const all = [entry('b', { p95: 9 }), entry('c'), entry('a', { p95: 9 }), entry('d', { p95: 20 })];
  const order = (query: string, entries = all) =>
    sorted(entries, sortOf(new URLSearchParams(query))).map(({ id }) => id);
  t.deepEqual(order('sort=-p95'), ['d', 'a', 'b', 'c']);
  t.deepEqual(order('sort=p95'), ['a', 'b', 'd', 'c']);
  t.deepEqual(order('sort=-id'), ['d', 'c', 'b', 'a']);
  const some = [entry('well', { failed: 3 }), entry('open', { state: 1, refused: 1 }), entry('isolated', { state: 3 })];
  t.deepEqual(order('', some), ['open', 'isolated', 'well']);
  t.deepEqual(order('sort=-state', some), ['open', 'isolated', 'well']);
  const byId = sortOf(new URLSearchParams('sort=id'));
  t.is(sortText(sortedBy('id', byId)), '-id');
  t.is(sortText(sortedBy('p99', byId)), '-p99');
  t.is(sortText(sortedBy('type', byId)), 'type');
});

test('stream: events out of bytes that come in any pieces', async (t) => {
  const text =
    'event: hello\r\ndata: {"a":1}\r\n\r\n: ping\n\nid: b-7\nevent: event\ndata: {"ü":\ndata: 2}\n\nevent: cut';
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 3, 7, bytes.length]) {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
        controller.close();
      },
    });
    const events = [];
    for await (const event of serverEvents(body)) events.push(event);
    t.deepEqual(
      events,
      [{ event: 'hello', data: '{"a":1}', id: null }, null, { event: 'event', data: '{"ü":\n2}', id: 'b-7' }],
      `in pieces of ${size}`,
    );
  }
});

test('events: while they are held, those that came since are counted, also beyond how many are kept', (t) => {
  const put = (n: number): void =>
    putEvent({ n: `b-${n}`, event: 'circuit_opened', extension_id: 'a', actor: 'system:breaker', at: '' });
  t.is(newerThan(undefined, events.value), 0);
  for (let n = 0; n < 500; n++) put(n);
  const [newest] = events.value;
  for (let n = 500; n < 507; n++) put(n);
  t.is(events.value.length, 500);
  t.is(newerThan(newest?.n, events.value), 7);
  t.is(newerThan('b-0', events.value), 500);
});

test('board: a change of no use is refused when it comes, and costs no other one its paint', async (t) => {
  const row: BoardEntry = {
    ...{ k: 1, id: 'a', type: 'pre', version: 'v1', state: 0, flags: 0, success_rate: null, p50: null, p95: null },
    ...{ p99: null, calls: 0, failed: 0, refused: 0, since: null },
  };
  const columns = Object.fromEntries(Object.entries(row).map(([name, value]) => [name, [value]]));
  putOverview({ boot: 'b', revision: 1, now: '', columns: columns as Record<keyof BoardEntry, unknown[]> });
  t.throws(() => changeRows([7 as never]), { instanceOf: TypeError });
  changeRows([[1, 3, 0, null, null, null, null, 0, 0, 0, 5]]);
  await until('it is painted', () => rowOf('a')?.entry.value.state === 3);
  t.is(rowOf('a')?.entry.value.since, 5);
});
