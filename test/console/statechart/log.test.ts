// The log of an actor, fed with the frames of the real hub on a simulated clock.
import test from 'ava';
import { stateText } from '../../../console/statechart/active.js';
import { type Change, differences, withChanges } from '../../../console/statechart/differences.js';
import { type Context, frameOf } from '../../../console/statechart/frames.js';
import { ActorLog, type Entry, KEYFRAME, MAX_ENTRIES, type View } from '../../../console/statechart/log.js';
import { lineBeside, linesOf } from '../../../console/statechart/log-lines.js';
import type { Target } from '../../../src/actors/target/target.js';
import { FLUSH_MS, RESELECT_MS } from '../../../src/inspector/hub.js';
import { breakerSettings } from '../../helpers/breaker-settings.js';
import { extensionRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';
import { InspectedWorld } from '../../inspector/helpers.js';

const NO_FILTER = { part: '', transitionsOnly: false };

/** A log that follows extension `a`, and every view it had, by the number of the entry after which it was so. */
class Followed {
  readonly world = new InspectedWorld();
  readonly log = new ActorLog();
  readonly views = new Map<number, View>();

  constructor() {
    this.world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
    const viewer = {
      bufferedBytes: 0,
      close: () => undefined,
      send: (text: string) => {
        const frame = frameOf(text);
        if (frame !== null) this.log.take(frame);
      },
    };
    this.world.hub.open(new URLSearchParams('extension=a&control=1'), viewer);
  }

  get target(): Target {
    return this.world.core.supervisor.runtimes.get('a')?.defaultService?.target as Target;
  }

  flush(ms = FLUSH_MS): void {
    this.world.clock.advance(ms);
    // No event waits for its snapshot now.
    this.views.set(this.log.last, this.log.now);
  }

  settings(probes = 2): void {
    this.target.setSettings(breakerSettings({ half_open_max_requests: probes }), 1000, this.world.clock.now());
  }

  /** Each entry that changed the state: `attempt.failed: closed.steady → open`. */
  get transitions(): string[] {
    return this.log.entries
      .filter(({ kind, value }) => kind === 'event' && value !== undefined)
      .map(({ event, before, value }) => `${event.type}: ${stateText(before)} → ${stateText(value)}`);
  }
}

test('a page that joins sees the actor as it is, and what led there', (t) => {
  const followed = new Followed();
  const { log } = followed;
  t.is(stateText(log.now.value), 'closed.steady');
  t.is(log.entries.length, 1);
  t.is(log.machine?.root.id, 'breaker');
  followed.world.calls('a', 5, 500);
  const late = new ActorLog();
  followed.world.hub.open(new URLSearchParams('extension=a'), {
    bufferedBytes: 0,
    close: () => undefined,
    send: (text) => {
      const frame = frameOf(text);
      if (frame !== null) late.take(frame);
    },
  });
  t.is(stateText(late.now.value), 'open');
  t.like(late.transitionAt(late.last), { kind: 'joined', event: { type: 'attempt.failed' } });
  t.is(late.transitionAt(late.last)?.transition?.guard, 'shouldTrip');
});

/** What happens within one flush, and the transition that the page has to show. */
const CASES: readonly [what: string, act: (followed: Followed) => void, transition: string][] = [
  ['trip', ({ world }) => world.calls('a', 5, 500), 'attempt.failed: closed.steady → open'],
  ['isolate', ({ target }) => target.setOverride('isolated', 0), 'breaker.isolate: closed.steady → isolated'],
  [
    'force closed',
    ({ target }) => target.setOverride('forced_closed', 0),
    'breaker.force_close: closed.steady → forcedClosed',
  ],
  [
    'release',
    (followed) => {
      followed.target.setOverride('isolated', 0);
      followed.flush();
      followed.target.setOverride(null, 0);
      followed.target.send({ type: 'breaker.renew', nowMs: 0 });
    },
    'breaker.release: isolated → halfOpen.waiting',
  ],
  [
    'the timer',
    (followed) => {
      followed.world.calls('a', 5, 500);
      followed.flush();
      followed.flush(60_000);
    },
    'xstate.after.openTime.breaker.open: open → halfOpen.waiting',
  ],
];

for (const [what, act, transition] of CASES)
  test(`LOG-2: ${what}: its event is the cause, although the settings change within the same flush`, (t) => {
    const followed = new Followed();
    act(followed);
    followed.settings();
    followed.flush();
    const entered = followed.transitions.filter((one) => !one.startsWith('settings.changed'));
    t.is(entered.at(-1), transition);
    t.like(followed.log.now.context.settings, { half_open_max_requests: 2 });
    const cause = followed.log.entries.findLast(({ event }) => event.type === transition.split(':')[0]);
    t.truthy(cause?.transition, 'its row is known');
  });

test('LOG-2: an event of an older daemon that names the wrong cause is put right by the definition', (t) => {
  const { log } = new Followed();
  const session = 'boot/a@v1';
  const event = (type: string) => log.take({ kind: 'event', session, event: { type }, atMs: 5 });
  event('breaker.isolate');
  event('settings.changed');
  const snapshot = { ...log.now, status: 'active', value: 'isolated', context: {}, error: '' };
  log.take({ kind: 'snapshot', session, event: { type: 'settings.changed' }, snapshot, atMs: 6 });
  t.like(log.transitionAt(log.last), { event: { type: 'breaker.isolate' }, value: 'isolated' });
});

/** A life with everything in it, about `rounds` × 12 entries long. */
function lived(rounds: number): Followed {
  const followed = new Followed();
  const { world } = followed;
  for (let i = 0; i < rounds; i++) {
    for (let j = 0; j < 5; j++) {
      world.calls('a', 1, 500);
      followed.flush();
    }
    followed.settings(1 + (i % 3));
    followed.flush(60_000);
    world.calls('a', 1 + (i % 3), i % 4 === 0 ? 500 : 0);
    followed.target.send({ type: 'breaker.reset', nowMs: world.clock.now() });
    followed.flush();
    followed.target.setOverride(i % 2 === 0 ? 'isolated' : 'forced_closed', world.clock.now());
    followed.settings(4);
    followed.flush();
    followed.target.setOverride(null, world.clock.now());
    followed.target.send({ type: 'breaker.reset', nowMs: world.clock.now() });
    followed.flush();
  }
  return followed;
}

test('LOG-1: every view that it had can be rebuilt from its entries', (t) => {
  const { log, views } = lived(40);
  t.true(log.entries.length > 10 * KEYFRAME, `${log.entries.length} entries`);
  t.true(views.size > 100, `${views.size} views`);
  for (const [n, view] of views) t.deepEqual(log.viewAt(n), view, `entry ${n}`);
  t.deepEqual(log.viewAt(log.last), log.now);
  t.deepEqual(log.viewAt(Number.POSITIVE_INFINITY), log.now);
});

test('LOG-1: the newest entries are kept, and the oldest of them can be rebuilt', (t) => {
  const log = new ActorLog();
  const session = 's';
  const context = (i: number): Context => ({ i, deep: { tens: Math.floor(i / 10), list: [i % 3] } });
  const snapshot = (i: number) => ({ status: 'active', value: i % 2 === 0 ? 'even' : 'odd', context: context(i) });
  log.take({ kind: 'actor', session, name: 'a', definition: '{"id":"m"}', snapshot: snapshot(0), atMs: 0 });
  const all = 3 * MAX_ENTRIES + 17;
  for (let i = 1; i <= all; i++) {
    log.take({ kind: 'event', session, event: { type: 'e' }, atMs: i });
    log.take({ kind: 'snapshot', session, event: { type: 'e' }, snapshot: snapshot(i), atMs: i });
  }
  t.true(log.entries.length >= MAX_ENTRIES && log.entries.length <= MAX_ENTRIES + KEYFRAME);
  t.is(log.last, all);
  t.is(log.first % KEYFRAME, 0);
  for (const n of [log.first, log.first + 1, log.first + KEYFRAME, log.last - 1, log.last])
    t.deepEqual(log.viewAt(n), {
      value: n % 2 === 0 ? 'even' : 'odd',
      status: 'active',
      error: null,
      context: context(n),
    });
  t.deepEqual(log.viewAt(3).context, context(log.first), 'forgotten: the oldest that is known');
});

test('LOG-2: snapshots that come after further events belong to the events that they name', (t) => {
  const log = new ActorLog();
  const session = 's';
  const definition = JSON.stringify({ id: 'm', initial: 'a', states: { a: { on: { go: 'b' } }, b: {} } });
  const snapshot = (value: string, x: number) => ({ status: 'active', value, context: { x } });
  log.take({ kind: 'actor', session, name: 'a', definition, snapshot: snapshot('a', 0), atMs: 0 });
  for (let i = 0; i < KEYFRAME - 2; i++) log.take({ kind: 'event', session, event: { type: 'noise' }, atMs: 1 });
  // The event that follows its cause is the one with a whole state.
  log.take({ kind: 'event', session, event: { type: 'go' }, atMs: 2 });
  log.take({ kind: 'event', session, event: { type: 'more' }, atMs: 2 });
  log.take({ kind: 'snapshot', session, event: { type: 'go' }, snapshot: snapshot('b', 1), atMs: 2 });
  log.take({ kind: 'snapshot', session, event: { type: 'more' }, snapshot: snapshot('b', 2), atMs: 2 });
  const go = log.entries.find(({ event }) => event.type === 'go') as Entry;
  t.is(go.n, KEYFRAME - 1);
  t.deepEqual([log.viewAt(go.n - 1).value, log.viewAt(go.n).value, log.viewAt(go.n).context.x], ['a', 'b', 1]);
  t.deepEqual(log.viewAt(go.n + 1).context, { x: 2 });
  t.deepEqual(go.changes, [{ path: 'x', keys: ['x'], from: 0, to: 1 } satisfies Change]);
});

test('LOG-3: what the hub left out is an entry and a line', (t) => {
  const followed = new Followed();
  const policy = { breaker: { circuit_breaker_enabled: false } };
  followed.world.feed$.next(snapshotOf(2, registryEntry(extensionRow('a', { revision: 2, policy }))));
  followed.flush(RESELECT_MS);
  followed.world.calls('a', 300, 500);
  followed.flush(RESELECT_MS);
  const dropped = followed.log.entries.filter(({ kind }) => kind === 'dropped');
  t.is(dropped.length, 1);
  t.true(followed.log.left.events > 250);
  const line = linesOf(followed.log.entries, NO_FILTER).find(({ entry }) => entry.kind === 'dropped');
  t.regex(line?.text ?? '', /^\d+ snapshots, \d+ events left out$/);
});

test('an actor that fails and its successor are seen', async (t) => {
  const followed = new Followed();
  followed.world.crash('a');
  followed.flush();
  t.like(followed.log.now, { status: 'error', error: 'Error: a bug' });
  t.regex(linesOf(followed.log.entries, NO_FILTER).at(-1)?.change ?? '', /^closed\.steady → error: Error: a bug$/);
  await followed.world.pass(2000);
  t.like(followed.log.now, { status: 'active', error: null });
  t.true(followed.log.entries.some(({ kind, n }) => kind === 'joined' && n > 0));
});

test('LOG-LINES-1: a burst of one event is one line with a count, until something else happens', (t) => {
  const followed = new Followed();
  for (const code of [500, 500, 500, 0]) {
    followed.world.calls('a', 1, code);
    followed.flush();
  }
  const lines = linesOf(followed.log.entries, NO_FILTER).map(({ text, count, change }) => `${text} ${count} ${change}`);
  t.deepEqual(lines, ['joined 1 closed.steady', 'attempt.failed 3 ', 'attempt.succeeded 1 ']);
  followed.world.calls('a', 1, 500);
  followed.flush();
  const last = linesOf(followed.log.entries, NO_FILTER).at(-1);
  t.is(`${last?.text} ${last?.count} ${last?.change}`, 'attempt.failed 1 closed.steady → open');
});

test('lines are filtered by event, state or path, and by whether the state changed', (t) => {
  const { log } = lived(2);
  const texts = (part: string, transitionsOnly = false) => linesOf(log.entries, { part, transitionsOnly });
  t.true(texts('ISOLATE').every(({ text, change }) => /isolate/.test(text + change)));
  t.true(texts('isolate').length > 0);
  t.true(texts('window.failures').length > 0);
  t.deepEqual(texts('nothing has this'), []);
  t.true(texts('', true).every(({ change }) => change !== ''));
  t.true(texts('', true).length < texts('').length);
});

test('stepping goes from line to line, also from an entry that no line shows, and stops at the ends', (t) => {
  const { log } = lived(2);
  const lines = linesOf(log.entries, { part: '', transitionsOnly: true });
  const [first = null, second = null, third = null] = lines;
  const last = lines.at(-1) ?? null;
  t.true(lines.length > 5);
  t.is(lineBeside(lines, second?.n ?? -1, 1), third);
  t.is(lineBeside(lines, second?.n ?? -1, -1), first);
  t.is(lineBeside(lines, (third?.n ?? -1) - 1, 1), third);
  t.is(lineBeside(lines, first?.n ?? -1, -1), first);
  t.is(lineBeside(lines, last?.n ?? -1, 1), last);
  t.is(lineBeside([], 5, 1), null);
});

test('DIFFERENCES-1: the differences applied to the first context give the second', (t) => {
  const contexts: Context[] = [
    {},
    { a: 1, b: { c: [1, 2], d: null }, e: 'x' },
    { a: 2, b: { c: [1, 2, 3], f: { g: true } }, e: 'x' },
    { b: 5, e: { deep: { deeper: 1 } } },
    { b: { c: [] }, e: { deep: {} } },
  ];
  for (const one of contexts)
    for (const other of contexts) t.deepEqual(withChanges(one, differences(one, other)), other);
  t.deepEqual(differences({ a: { b: 1 }, c: 2 }, { a: { b: 2 } }), [
    { path: 'a.b', keys: ['a', 'b'], from: 1, to: 2 },
    { path: 'c', keys: ['c'], from: 2, to: undefined },
  ]);
});

test('frames that are none are left out', (t) => {
  for (const text of [
    '',
    '5',
    'null',
    '[]',
    '{}',
    '{"type":"@xstate.event"}',
    '{"type":"other","sessionId":"s","createdAt":"1"}',
  ])
    t.is(frameOf(text), null, text);
  t.deepEqual(frameOf('{"control":"dropped","target":"a@v1","events":1,"snapshots":2}'), {
    kind: 'dropped',
    target: 'a@v1',
    events: 1,
    snapshots: 2,
  });
});
