import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import type { Target } from '../../src/actors/target/target.js';
import {
  CLOSE,
  FLUSH_BUDGET,
  FLUSH_MS,
  INTRODUCTIONS,
  MAX_TARGETS,
  MAX_VIEWERS,
  RESELECT_MS,
} from '../../src/inspector/hub.js';
import { MAX_BUFFERED_BYTES, SLOW_MS } from '../../src/inspector/subscriber.js';
import { createLogger } from '../../src/telemetry/log.js';
import { breakerSettings } from '../helpers/breaker-settings.js';
import { extensionRow, registryEntry, snapshotOf, versionRow } from '../helpers/registry-rows.js';
import { type Frame, InspectedWorld, type TestViewer, told } from './helpers.js';

const ids = (count: number): string[] => Array.from({ length: count }, (_, i) => `e${String(i).padStart(3, '0')}`);

function started(...names: string[]): InspectedWorld {
  const world = new InspectedWorld();
  world.feed$.next(snapshotOf(1, ...names.map((id) => registryEntry(extensionRow(id)))));
  return world;
}

function targetOf(world: InspectedWorld): Target {
  const target = world.core.supervisor.runtimes.get('a')?.defaultService?.target;
  if (target === undefined) throw new Error('a does not run');
  return target;
}

const sum = (frames: readonly Frame[], what: 'events' | 'snapshots'): number =>
  frames.filter((frame) => frame.control === 'dropped').reduce((all, frame) => all + (frame[what] ?? 0), 0);

// Joining

test('WATCH-3: whoever joins late sees the actor as it is', (t) => {
  const world = started('a');
  world.calls('a', 5, 500);
  const viewer = world.view('extension=a');
  const frames = viewer.taken();
  t.deepEqual(told(frames), ['watching a@v1', 'actor open', 'snapshot open']);
  t.is(frames[2]?.snapshot?.context.tripReason, 'failure_count');
  t.is(frames[1]?.sessionId, 'boot/a@v1');
});

test('live: failures, the trip, the timer and the probes are seen in their order', (t) => {
  const world = started('a');
  const viewer = world.view('extension=a');
  viewer.taken();
  for (let i = 0; i < 5; i++) {
    world.calls('a', 1, 500);
    world.clock.advance(FLUSH_MS);
  }
  t.deepEqual(told(viewer.taken()), [
    ...Array.from({ length: 4 }, () => ['event attempt.failed', 'snapshot {"closed":"steady"}']).flat(),
    'event attempt.failed',
    'snapshot open',
  ]);
  world.clock.advance(60_000);
  const timer = viewer.taken();
  t.deepEqual(told(timer), ['event xstate.after.openTime.breaker.open', 'snapshot {"halfOpen":"waiting"}']);
  t.is(timer[0]?.sourceId, 'boot/a@v1');
  world.calls('a', 2);
  world.clock.advance(FLUSH_MS);
  t.deepEqual(
    told(viewer.taken()).filter((line) => line.startsWith('snapshot')),
    [
      '{"halfOpen":"probing"}',
      '{"halfOpen":"waiting"}',
      '{"halfOpen":"probing"}',
      '{"closed":"recovering"}',
      '{"closed":"steady"}',
    ].map((s) => `snapshot ${s}`),
  );
});

test('WATCH-3: who joins while others have frames on their way gets none of before', (t) => {
  const world = started('a');
  const first = world.view('extension=a');
  first.taken();
  world.calls('a', 5, 500);
  const second = world.view('extension=a');
  world.clock.advance(FLUSH_MS);
  t.deepEqual(told(second.taken()), ['watching a@v1', 'actor open', 'snapshot open']);
  t.is(told(first.taken()).at(-1), 'snapshot open');
});

test('the time of a frame is that of the event, not that of its sending', (t) => {
  const world = started('a');
  const viewer = world.view('extension=a');
  viewer.taken();
  world.calls('a', 1, 500);
  const at = 1_700_000_000_000 + world.clock.now();
  world.clock.advance(FLUSH_MS);
  t.deepEqual([...new Set(viewer.taken().map((frame) => frame.createdAt))], [String(at)]);
});

/** How a target gets into another state, its name, what the cause is called, and the event that the daemon sends within the same flush. */
const CAUSES = [
  ['trip', (world: InspectedWorld) => world.calls('a', 5, 500), 'open', 'attempt.failed'],
  ['isolate', (world: InspectedWorld) => targetOf(world).setOverride('isolated', 0), 'isolated', 'breaker.isolate'],
  [
    'force closed',
    (world: InspectedWorld) => targetOf(world).setOverride('forced_closed', 0),
    'forcedClosed',
    'breaker.force_close',
  ],
  [
    'release',
    (world: InspectedWorld) => {
      targetOf(world).setOverride('isolated', 0);
      world.clock.advance(FLUSH_MS);
      targetOf(world).setOverride(null, 0);
      targetOf(world).send({ type: 'breaker.renew', nowMs: 0 });
    },
    { halfOpen: 'waiting' },
    'breaker.release',
  ],
] as const;

for (const [what, act, state, cause] of CAUSES)
  test(`WATCH-4: ${what}: its own event is the cause, although the settings change within the same flush`, (t) => {
    const world = started('a');
    const viewer = world.view('extension=a');
    viewer.taken();
    act(world);
    targetOf(world).setSettings(breakerSettings({ half_open_max_requests: 2 }), 1000, world.clock.now());
    world.clock.advance(FLUSH_MS);
    const inState = viewer.taken().filter(({ snapshot }) => isDeepStrictEqual(snapshot?.value, state));
    t.is(inState[0]?.event?.type, cause);
    t.like(inState.at(-1)?.snapshot?.context.settings, { half_open_max_requests: 2 });
    // A viewer that joins late is shown how it got where it is.
    t.is(world.view('extension=a').taken().at(-1)?.event?.type, cause);
  });

test('WATCH-2, WATCH-4: also without any room the first snapshot of the newest state stays, and the newest one', (t) => {
  const names = ids(FLUSH_BUDGET + 1);
  const world = started('a', ...names);
  const viewer = viewOfAll(world);
  for (const id of names) world.calls(id, 1, 500);
  const target = targetOf(world);
  for (let i = 0; i < 50; i++) {
    target.setOverride('isolated', 0);
    target.setOverride(null, 0);
  }
  target.setOverride('isolated', 0);
  for (const probes of [7, 8, 9])
    target.setSettings(breakerSettings({ half_open_max_requests: probes }), 1000, world.clock.now());
  world.clock.advance(FLUSH_MS);
  const shown = viewer.taken().filter(({ name, sessionId }) => name === undefined && sessionId === 'boot/a@v1');
  t.deepEqual(
    shown.map(({ event, snapshot }) => [event?.type, snapshot?.value]),
    [
      ['breaker.isolate', 'isolated'],
      ['settings.changed', 'isolated'],
    ],
  );
  t.like(shown[1]?.snapshot?.context.settings, { half_open_max_requests: 9 });
  world.clock.advance(RESELECT_MS);
  const { events = 0, snapshots = 0 } = viewer.taken().find(({ target: name }) => name === 'a@v1') ?? {};
  t.deepEqual([events, snapshots], [104, 102], 'the rest was counted');
});

test('WATCH-4: an event that changes nothing of the state is shown as what it is, where nothing else happened', (t) => {
  const world = started('a');
  const viewer = world.view('extension=a');
  viewer.taken();
  const settings = breakerSettings({ half_open_max_requests: 2 });
  world.core.supervisor.runtimes.get('a')?.defaultService?.target.setSettings(settings, 1000, world.clock.now());
  world.clock.advance(FLUSH_MS);
  t.like(viewer.taken().at(-1), { type: '@xstate.snapshot', event: { type: 'settings.changed' } });
});

test('FRAMES-3: control frames are sent to viewers that ask for them', (t) => {
  const world = started('a');
  const viewer = world.view('extension=a', '');
  t.deepEqual(
    told(viewer.taken()),
    ['actor closed', 'snapshot closed'].map((line) => line.replace('closed', '{"closed":"steady"}')),
  );
  for (let i = 0; i < 50; i++) world.calls('a', 1);
  world.clock.advance(2 * RESELECT_MS);
  t.true(viewer.taken().every((frame) => frame.control === undefined));
});

// Selecting

const selected = test.macro<[query: string, targets: string[]]>({
  exec(t, query, targets) {
    const world = new InspectedWorld();
    world.feed$.next(
      snapshotOf(
        1,
        registryEntry(extensionRow('b')),
        registryEntry(extensionRow('a'), { versions: [versionRow('a', 'v2', { routing_rules: { tenant_id: 't' } })] }),
      ),
    );
    const viewer = world.view(query);
    t.deepEqual(viewer.frames[0], { control: 'watching', targets, left_out: 0 });
    t.is(viewer.frames.length, 1 + 2 * targets.length);
    t.deepEqual(viewer.closed, []);
  },
  title: (_, query, targets) => `selection: '${query}' watches ${targets.join(', ')}`,
});
test(selected, 'extension=b', ['b@v1']);
test(selected, 'extension=a', ['a@v1', 'a@v2']);
test(selected, 'extension=a&version=v2', ['a@v2']);
test(selected, 'extension=b&extension=a', ['b@v1', 'a@v1', 'a@v2']);
test(selected, 'extension=b&extension=b', ['b@v1']);
test(selected, 'extension=*', ['supervisor', 'a@v1', 'a@v2', 'b@v1']);
test(selected, 'extension=*&supervisor=false', ['a@v1', 'a@v2', 'b@v1']);
test(selected, 'extension=b&supervisor=true', ['supervisor', 'b@v1']);
test(selected, 'supervisor=true', ['supervisor']);

const refused = test.macro<[query: string, code: number, reason: RegExp]>({
  exec(t, query, code, reason) {
    const viewer = started('a', 'b').view(query, '');
    t.is(viewer.closed.length, 1);
    t.is(viewer.closed[0]?.code, code);
    t.regex(viewer.closed[0]?.reason ?? '', reason);
    t.true(Buffer.byteLength(viewer.closed[0]?.reason ?? '') <= 123);
    t.deepEqual(viewer.frames, []);
  },
  title: (_, query, code) => `selection: '${query.slice(0, 50)}' is closed with ${code}`,
});
for (const word of ['yes', '', 'TRUE', 'on', '0'])
  test(
    refused,
    `extension=a&control=${word}`,
    CLOSE.badRequest,
    new RegExp(`^parameter 'control' must be true or false, got "${word}"$`),
  );
test(refused, 'extension=none', CLOSE.notFound, /no extension 'none'/);
test(refused, 'extension=a&extension=none', CLOSE.notFound, /no extension 'none'/);
test(refused, `extension=${'x'.repeat(255)}`, CLOSE.notFound, /no extension 'xxx.*…$/);
test(refused, 'extension=a&version=v9', CLOSE.notFound, /no version 'v9'/);
test(
  refused,
  `extension=a&version=${encodeURIComponent('é😀'.repeat(50))}`,
  CLOSE.notFound,
  /no version 'é😀[^\ufffd]*…$/,
);
for (const [query, reason] of [
  ['', /^parameter 'extension' is missing: an extension id or \*/],
  ['extension=', /^parameter 'extension' must be extension ids or \*, got ""$/],
  ['extension=a.b', /^parameter 'extension' must be extension ids or \*, got "a\.b"$/],
  ['extension=*&extension=a', /^parameter 'extension' must be ids or \* alone/],
  ['extension=*&version=v1', /^parameter 'version' needs one extension/],
  ['extension=a&extension=b&version=v1', /^parameter 'version' needs one extension/],
  ['extension=a&version=', /^parameter 'version' must be a version, got ""$/],
  ['extension=a&version=v1&version=v2', /^parameter 'version' must be given once, got it 2 times$/],
  ['extension=a&control=true&control=true', /^parameter 'control' must be given once, got it 2 times$/],
  [
    'extension=a&verion=v1',
    /^there is no parameter "verion"; this path takes extension, version, supervisor, control$/,
  ],
  ['supervisor=false', /^with 'supervisor=false' an extension is needed: an id or \*$/],
  ['supervisor=1', /^parameter 'supervisor' must be true or false, got "1"$/],
  ['supervisor=true&version=v1', /^parameter 'version' needs one extension beside it$/],
] as const)
  test(refused, query, CLOSE.badRequest, reason);

for (const [word, frames] of [
  ['true', 3],
  ['1', 3],
  ['false', 2],
] as const)
  test(`selection: control=${word} is ${frames === 3 ? 'with' : 'without'} control frames`, (t) => {
    t.is(started('a').view('extension=a', `&control=${word}`).frames.length, frames);
  });

test('selection: of all extensions the first MAX_TARGETS are watched, and told how many are left out', (t) => {
  const world = started(...ids(MAX_TARGETS + 5));
  const { frames } = world.view('extension=*');
  t.is(frames[0]?.left_out, 5);
  t.is(frames[0]?.targets?.length, MAX_TARGETS + 1);
  t.is(frames.length, 1 + 2 * INTRODUCTIONS, 'HUB-2: a slice of them');
  world.clock.advance(FLUSH_MS * (MAX_TARGETS / INTRODUCTIONS + 1));
  t.is(frames.length, 1 + 2 * (MAX_TARGETS + 1));
  const introduced = frames.filter(({ type }) => type === '@xstate.actor').map(({ name }) => name);
  t.deepEqual(introduced, frames[0]?.targets);
});

test('viewers beyond the limit are told to come later, and may once one has left', (t) => {
  const world = started('a');
  const viewers = Array.from({ length: MAX_VIEWERS }, () => world.view('extension=a'));
  t.is(world.view('extension=a').closed[0]?.code, CLOSE.tryAgainLater);
  viewers[0]?.left();
  t.deepEqual(world.view('extension=a').closed, []);
});

test('targets: every version that can be watched, with its state', (t) => {
  const world = started('b', 'a');
  world.calls('a', 5, 500);
  t.deepEqual(
    [...world.hub.targets()],
    [
      { extension_id: 'a', version: 'v1', state: 'open' },
      { extension_id: 'b', version: 'v1', state: 'closed' },
    ],
  );
});

// Too much, too slow, and unreadable

test('what cannot be made a frame of is left out and logged once; the rest goes on', (t) => {
  const lines: string[] = [];
  const world = new InspectedWorld(createLogger('info', { write: (line) => lines.push(line) }));
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  const viewer = world.view('extension=a');
  viewer.taken();
  const target = world.core.supervisor.runtimes.get('a')?.defaultService?.target;
  const leaseMs = 1n as unknown as number;
  for (let i = 0; i < 3; i++)
    target?.send({ type: 'settings.changed', settings: breakerSettings(), leaseMs, nowMs: world.clock.now() });
  world.clock.advance(FLUSH_MS);
  t.deepEqual(viewer.taken(), []);
  target?.setSettings(breakerSettings(), 1000, world.clock.now());
  world.clock.advance(FLUSH_MS);
  t.deepEqual(told(viewer.taken()), ['event settings.changed', 'snapshot {"closed":"steady"}']);
  t.is(lines.filter((line) => line.includes('inspection_frame_failed')).length, 1);
});

test('WATCH-2, HUB-4: of a flood some events go out, the last snapshot always does, and the rest is counted', (t) => {
  const world = started('a');
  world.feed$.next(
    snapshotOf(
      2,
      registryEntry(extensionRow('a', { revision: 2, policy: { breaker: { circuit_breaker_enabled: false } } })),
    ),
  );
  const viewer = world.view('extension=a');
  viewer.taken();
  world.calls('a', 1000, 500);
  world.clock.advance(FLUSH_MS);
  const frames = viewer.taken();
  const events = frames.filter((frame) => frame.type === '@xstate.event').length;
  t.true(events >= 5 && frames.length <= 11, `${frames.length} frames`);
  t.is(frames.filter((frame) => frame.type === '@xstate.snapshot').length, 1);
  t.like(frames.at(-1)?.snapshot?.context.window, { failures: 1000 });
  world.clock.advance(RESELECT_MS);
  const told = viewer.taken();
  t.is(sum(told, 'events') + events, 1000);
  t.is(sum(told, 'snapshots') + 1, 1000);
  world.clock.advance(5 * RESELECT_MS);
  t.deepEqual(viewer.taken(), [], 'told once');
});

test('WATCH-2: a transition is not merged into the next one while there is room', (t) => {
  const world = started('a');
  const viewer = world.view('extension=a');
  viewer.taken();
  const target = world.core.supervisor.runtimes.get('a')?.defaultService?.target;
  for (const override of ['isolated', null, 'forced_closed'] as const) target?.setOverride(override, world.clock.now());
  world.clock.advance(FLUSH_MS);
  t.deepEqual(
    told(viewer.taken()).filter((line) => line.startsWith('snapshot')),
    ['snapshot isolated', 'snapshot {"halfOpen":"waiting"}', 'snapshot forcedClosed'],
  );
});

/** A viewer of all, after every actor was introduced to it. */
function viewOfAll(world: InspectedWorld): TestViewer {
  const viewer = world.view('extension=*');
  world.clock.advance(RESELECT_MS);
  viewer.taken();
  return viewer;
}

test('HUB-2: all targets together keep to the budget, and none is left without its last state', (t) => {
  const names = ids(150);
  const world = started(...names);
  const viewer = viewOfAll(world);
  for (const id of names) world.calls(id, 5, 500);
  world.clock.advance(FLUSH_MS);
  const frames = viewer.taken();
  t.true(frames.length <= FLUSH_BUDGET + 2 * names.length, `${frames.length} frames`);
  const last = new Map(
    frames.filter((frame) => frame.snapshot).map((frame) => [frame.sessionId, frame.snapshot?.value]),
  );
  t.is(last.size, names.length);
  t.deepEqual([...new Set(last.values())], ['open']);
});

test('HUB-3, HUB-4: a slow reader is skipped, told what it missed, and shown the state of now', (t) => {
  const world = started('a', 'b');
  const slow = world.view('extension=a&extension=b');
  const quick = world.view('extension=a');
  slow.taken();
  quick.taken();
  slow.bufferedBytes = MAX_BUFFERED_BYTES + 1;
  world.calls('a', 5, 500);
  world.clock.advance(10 * RESELECT_MS);
  t.deepEqual(slow.taken(), []);
  t.is(told(quick.taken()).filter((line) => line === 'snapshot open').length, 1);
  slow.bufferedBytes = 0;
  world.clock.advance(RESELECT_MS);
  const frames = slow.taken();
  t.deepEqual(told(frames).slice(0, 2), ['actor open', 'snapshot open']);
  t.deepEqual(
    frames.slice(2).map((frame) => [frame.control, frame.target]),
    [['dropped', 'a@v1']],
  );
  t.is(sum(frames, 'events'), 5);
  world.clock.advance(60_000);
  t.is(told(slow.taken()).at(-1), 'snapshot {"halfOpen":"waiting"}', 'and goes on');
});

test('HUB-3: a viewer that stays behind is closed, and nothing is kept for it', (t) => {
  const world = started('a');
  const { armed } = world.clock;
  const slow = world.view('extension=a');
  slow.bufferedBytes = MAX_BUFFERED_BYTES + 1;
  world.clock.advance(SLOW_MS);
  t.deepEqual(slow.closed, []);
  world.clock.advance(2 * RESELECT_MS);
  t.deepEqual(slow.closed, [{ code: CLOSE.tooSlow, reason: 'this viewer reads too slowly' }]);
  t.is(world.hub.viewers, 0);
  t.is(world.clock.armed, armed);
});

test('HUB-3: a viewer that is behind again and again, but catches up in between, stays', (t) => {
  const world = started('a');
  const slow = world.view('extension=a');
  for (let i = 0; i < 4; i++) {
    slow.bufferedBytes = MAX_BUFFERED_BYTES + 1;
    world.clock.advance(SLOW_MS - 2 * RESELECT_MS);
    slow.bufferedBytes = 0;
    world.clock.advance(RESELECT_MS);
  }
  t.deepEqual(slow.closed, []);
});

test('HUB-7: a viewer that throws is dropped and logged; the others and the actor go on', (t) => {
  const lines: string[] = [];
  const world = new InspectedWorld(createLogger('info', { write: (line) => lines.push(line) }));
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  const broken = world.view('extension=a');
  const good = world.view('extension=a');
  good.taken();
  broken.send = () => {
    throw new Error('the socket is gone');
  };
  world.calls('a', 5, 500);
  world.clock.advance(FLUSH_MS);
  t.is(told(good.taken()).at(-1), 'snapshot open');
  t.is(broken.closed.length, 1);
  t.is(world.hub.viewers, 1);
  t.is(lines.filter((line) => line.includes('inspection_viewer_failed')).length, 1);
  const atOnce = {
    bufferedBytes: 0,
    send: broken.send,
    close: () => {
      throw new Error('gone, too');
    },
  };
  t.notThrows(() => world.hub.open(new URLSearchParams('extension=a'), atOnce));
  t.is(world.hub.viewers, 1);
});

test('HUB-5: all extensions are not walked while nothing changes, and no further than to the limit', (t) => {
  const world = started(...ids(MAX_TARGETS + 50));
  let walked = 0;
  const { inspection } = world.core;
  const { extensionIds } = inspection;
  Object.assign(inspection, {
    *extensionIds(after?: string) {
      for (const id of extensionIds(after)) {
        walked++;
        yield id;
      }
    },
  });
  const viewer = world.view('extension=*');
  t.true(walked <= MAX_TARGETS + 1, `${walked} walked`);
  t.is(viewer.taken()[0]?.left_out, 50);
  walked = 0;
  world.clock.advance(10 * RESELECT_MS);
  t.is(walked, 0);
  world.feed$.next(snapshotOf(2, ...ids(MAX_TARGETS + 48).map((id) => registryEntry(extensionRow(id)))));
  world.clock.advance(RESELECT_MS);
  t.true(walked > 0 && walked <= MAX_TARGETS + 1, `${walked} walked`);
  t.is(viewer.taken().find(({ control }) => control === 'watching')?.left_out, 48);
});

// The supervisor

test('the supervisor is an actor with a statechart of its own, its children counted and not listed', async (t) => {
  const world = new InspectedWorld();
  const viewer = world.view('supervisor=true');
  t.deepEqual(told(viewer.taken()), ['watching supervisor', 'actor starting', 'snapshot starting']);
  world.feed$.next(snapshotOf(7, ...ids(3).map((id) => registryEntry(extensionRow(id)))));
  world.clock.advance(FLUSH_MS);
  const frames = viewer.taken();
  t.deepEqual(told(frames), ['event registry.applied', 'snapshot running']);
  t.deepEqual(frames[1]?.snapshot?.context, {
    children: 3,
    revision: 7,
    failures: 0,
    appliedAtMs: 1_700_000_000_000 + world.clock.now() - FLUSH_MS,
  });
  t.is(frames[1]?.sessionId, 'boot/supervisor');
  t.false(JSON.stringify(frames).includes('e001'));
  world.crash('e001');
  world.clock.advance(FLUSH_MS);
  t.like(viewer.taken()[0], { event: { type: 'child.failed', target: 'e001@v1' } });
  world.core.supervisor.actor.report({ type: 'daemon.draining' });
  await world.core.stop();
  world.hub.close();
  const ended = viewer.taken();
  t.deepEqual(
    told(ended).filter((line) => line.startsWith('snapshot')),
    ['snapshot draining', 'snapshot stopped done'],
  );
  t.deepEqual(
    viewer.closed.map(({ code }) => code),
    [1001],
  );
});

// Closing

test('HUB-6: closing tells every viewer at once and lets go of every target', (t) => {
  const world = started('a');
  const armed = world.clock.armed;
  const viewers: TestViewer[] = [world.view('extension=a'), world.view('extension=*')];
  world.calls('a', 1, 500);
  world.hub.close();
  for (const viewer of viewers) t.deepEqual(viewer.closed, [{ code: 1001, reason: 'the daemon is stopping' }]);
  t.is(world.clock.armed, armed);
  t.is(world.view('extension=a').closed[0]?.code, 1001, 'and takes none any more');
  viewers[0]?.left();
});
