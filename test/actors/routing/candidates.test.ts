import test, { type ExecutionContext } from 'ava';
import type { ActorSystemSettings } from '../../../src/actors/actor-system.js';
import { Attempt } from '../../../src/actors/target/in-flight.js';
import type {
  ExtensionRow,
  InstanceRow,
  RegistryEntry,
  VersionRow,
} from '../../../src/domain/registry/registry-rows.js';
import type { Context } from '../../../src/domain/routing/routing-rules.js';
import { ActorWorld, type Called } from '../../helpers/actor-world.js';
import { seeds } from '../../helpers/depth.js';
import { extensionRow, instanceRow, registryEntry, snapshotOf, versionRow } from '../../helpers/registry-rows.js';
import { seededRandom } from '../../helpers/seeded-random.js';
import { FAILS, okShare, Traffic } from '../../helpers/traffic.js';

interface Entry {
  readonly row?: Partial<ExtensionRow>;
  readonly versions?: Readonly<Record<string, Partial<VersionRow>>>;
  readonly instances?: Readonly<Record<string, Partial<InstanceRow>>>;
}

const entryOf = (id: string, { row, versions = {}, instances = {} }: Entry = {}): RegistryEntry =>
  registryEntry(extensionRow(id, row), {
    versions: Object.entries(versions).map(([version, changes]) => versionRow(id, version, changes)),
    instances: Object.entries(instances).map(([instance, changes]) => instanceRow(id, instance, changes)),
  });

function worldOf(entries: Readonly<Record<string, Entry>>, settings: Partial<ActorSystemSettings> = {}): ActorWorld {
  const world = new ActorWorld({ autoDisableOnCircuitOpen: false, ...settings });
  world.feed$.next(snapshotOf(1, ...Object.entries(entries).map(([id, entry]) => entryOf(id, entry))));
  return world;
}

const targetOf = (world: ActorWorld, id: string, version: string) =>
  world.core.supervisor.runtimes.get(id)?.service(version)?.target;

/** Its breaker opens, whoever asks. */
function open(world: ActorWorld, id: string, version: string): void {
  const target = targetOf(world, id, version);
  const nowMs = world.clock.now();
  while (target !== undefined && target.publishedState === 'closed') {
    const attempt = new Attempt();
    target.begin(attempt, target.tryAdmit(nowMs), null, false, nowMs);
    target.settle(attempt, 'failure', 1, nowMs);
  }
}

/** Opens a breaker by calls that its version fails. */
function trip(
  t: ExecutionContext,
  world: ActorWorld,
  id: string,
  version: string,
  context: Record<string, string> = {},
) {
  while (targetOf(world, id, version)?.publishedState === 'closed') {
    const before = world.sent.length;
    world.call(id, null, context);
    t.is(world.sent[before]?.route.spec.version, version);
    world.sent[before]?.end(500);
  }
  t.is(targetOf(world, id, version)?.publishedState, 'open');
}

/** Where the call went, as `extension@version`; or the reason it was refused with. */
function went(world: ActorWorld, id: string, context: Record<string, string> = {}): string {
  const before = world.sent.length;
  const called = world.call(id, null, context);
  const sent = world.sent[before];
  if (sent === undefined) return reasonOf(called);
  sent.end(0);
  return `${sent.route.spec.extensionId}@${sent.route.spec.version}`;
}

function reasonOf(called: Called): string {
  const [answer] = called.answers;
  if (answer === undefined || answer === 'ok') return 'no refusal';
  return String(answer.details?.reason ?? answer.code);
}

const SEED: Entry = { versions: { v1: {}, v2: { routing_rules: { tenant_id: ['tenant1', 'tenant2'] } } } };

test('the versions of an extension take the calls that their rules say, each with its own breaker', (t) => {
  const world = worldOf({ a: SEED });
  t.is(went(world, 'a', { tenant_id: 'tenant1' }), 'a@v2');
  t.is(went(world, 'a', { tenant_id: 'tenant3' }), 'a@v1');
  t.is(went(world, 'a'), 'a@v1');
  trip(t, world, 'a', 'v2', { tenant_id: 'tenant1' });
  t.is(targetOf(world, 'a', 'v1')?.publishedState, 'closed');
  t.is(went(world, 'a', { tenant_id: 'tenant3' }), 'a@v1');
});

test('each version has the timeout, the retries and the subject of its own row', async (t) => {
  const versions = { v1: { timeout_ms: 100 }, v2: { routing_rules: { tenant_id: 'x' }, timeout_ms: 80, retry: 1 } };
  const world = worldOf({ a: { versions } });
  world.call('a', null, { tenant_id: 'x' });
  world.call('a');
  t.deepEqual(
    world.sent.map(({ timeoutMs, remainingMs, route }) => [timeoutMs, remainingMs, route.subject]),
    [
      [80, 2 * 80 + 1000, 'ext.a.v2'],
      [100, 100, 'ext.a.v1'],
    ],
  );
  world.sent[0]?.end('timeout');
  world.sent[1]?.end('timeout');
  await world.pass(1000);
  t.is(world.sent.length, 3);
  t.is(world.sent[2]?.route.subject, 'ext.a.v2');
});

test('CANDIDATES-1: a version that rules chose and that takes no call is replaced by nobody', (t) => {
  const world = worldOf({ a: { ...SEED, row: { policy: { fallback: ['b'] } } }, b: {} });
  trip(t, world, 'a', 'v2', { tenant_id: 'tenant1' });
  t.is(went(world, 'a', { tenant_id: 'tenant1' }), 'circuit_open');
  t.is(went(world, 'a', { tenant_id: 'tenant9' }), 'a@v1');
});

test('CANDIDATES-1: with rules_fallback others whose rules match, then the default, then fallbacks take its calls', (t) => {
  const versions = {
    v1: {},
    v2: { routing_rules: { tenant_id: 'x' } },
    v3: { routing_rules: { tenant_id: 'x', plan: 'gold' } },
    v4: { routing_rules: { tenant_id: 'y' } },
  };
  const world = worldOf({ a: { versions, row: { policy: { rules_fallback: true, fallback: ['b'] } } }, b: {} });
  const gold = { tenant_id: 'x', plan: 'gold' };
  t.is(went(world, 'a', gold), 'a@v3');
  open(world, 'a', 'v3');
  t.is(went(world, 'a', gold), 'a@v2');
  open(world, 'a', 'v2');
  t.is(went(world, 'a', gold), 'a@v1');
  open(world, 'a', 'v1');
  t.is(went(world, 'a', gold), 'b@v1');
  open(world, 'b', 'v1');
  t.is(went(world, 'a', gold), 'circuit_open');
});

const CANARY: Entry = { versions: { v1: {}, v2: { rollout_percent: 50 } } };
const IN = { tenant_id: 't1' };

test('CANDIDATES-2: a canary whose breaker opens gives its share to the default at once, and never opens its extension', (t) => {
  const world = worldOf({ a: CANARY });
  const tenants = Array.from({ length: 40 }, (_, i) => ({ tenant_id: `t${i}` }));
  const canary = tenants.find((tenant) => went(world, 'a', tenant) === 'a@v2');
  t.truthy(canary);
  trip(t, world, 'a', 'v2', canary);
  for (const tenant of tenants) t.is(went(world, 'a', tenant), 'a@v1');
  t.is(targetOf(world, 'a', 'v1')?.publishedState, 'closed');
  t.deepEqual(
    world.events.filter(({ event }) => event === 'circuit_opened'),
    [],
  );
  t.true((world.core.supervisor.runtimes.get('a')?.stats.calls.get('v1')?.stand_in ?? 0) > 0);
});

test('CANDIDATES-2: isolated, without an instance or without a listener, a canary loses its share likewise', (t) => {
  const isolated = worldOf({ a: { versions: { v1: {}, v2: { rollout_percent: 100, breaker_override: 'isolated' } } } });
  t.is(went(isolated, 'a', IN), 'a@v1');
  const drained = worldOf({
    a: { versions: { v1: {}, v2: { rollout_percent: 100 } }, instances: { i: { version: 'v2', weight: 0 } } },
  });
  t.is(went(drained, 'a', IN), 'a@v1');
  const absent = worldOf({ a: { versions: { v1: {}, v2: { rollout_percent: 100 } } } });
  const called = absent.call('a', null, IN);
  absent.sent[0]?.end('no_responders');
  t.is(absent.sent[1]?.route.spec.version, 'v1');
  absent.sent[1]?.end(0);
  t.deepEqual(called.answers, ['ok']);
});

test('FM 50: a canary with no call, one or four holds its share, whatever became of them; the fifth failure opens it', (t) => {
  const world = worldOf({ a: { versions: { v1: {}, v2: { rollout_percent: 100 } } } });
  for (let failures = 0; failures < 5; failures++) {
    t.is(targetOf(world, 'a', 'v2')?.publishedState, 'closed');
    world.call('a', null, IN);
    t.is(world.sent.at(-1)?.route.spec.version, 'v2');
    world.sent.at(-1)?.end(500);
  }
  t.is(targetOf(world, 'a', 'v2')?.publishedState, 'open');
  t.is(went(world, 'a', IN), 'a@v1');
});

test('CANDIDATES-3: where the default takes no call, versions without rules and percentage do, the highest first, then fallbacks', (t) => {
  const versions = { v3: {}, v2: {}, v1: {}, v4: { routing_rules: { tenant_id: 'x' } }, v5: { rollout_percent: 0 } };
  const world = worldOf({
    a: { versions, row: { policy: { fallback: ['gone', 'other', 'b', 'c'] } } },
    b: {},
    c: {},
    other: { row: { type: 'pre' } },
  });
  for (const version of ['v3', 'v2', 'v1']) {
    t.is(went(world, 'a'), `a@${version}`);
    open(world, 'a', version);
  }
  t.is(went(world, 'a'), 'other@v1');
  open(world, 'other', 'v1');
  t.is(went(world, 'a'), 'b@v1');
  open(world, 'b', 'v1');
  t.is(went(world, 'a'), 'c@v1');
  open(world, 'c', 'v1');
  t.is(went(world, 'a'), 'circuit_open');
  t.deepEqual(Object.fromEntries(world.core.supervisor.runtimes.get('a')?.stats.fallbacks ?? []), {
    other: 1,
    b: 1,
    c: 1,
  });
});

test('CANDIDATES-3: an extension that came to have another type since is no fallback', (t) => {
  const world = worldOf({ a: { row: { policy: { fallback: ['b'] } } } });
  world.feed$.next({
    kind: 'changes',
    revision: 2,
    entries: [entryOf('b', { row: { type: 'post' } })],
    removedIds: [],
  });
  open(world, 'a', 'v1');
  t.is(went(world, 'a'), 'circuit_open');
});

test('CANDIDATES-3: fallbacks have fallbacks of their own, their own rules, and refuse for themselves', (t) => {
  const world = worldOf({
    a: { row: { policy: { fallback: ['b', 'd'] } } },
    b: { versions: { v1: {}, v2: { routing_rules: { tenant_id: 'x' } } }, row: { policy: { fallback: ['c'] } } },
    c: {},
    d: {},
  });
  open(world, 'a', 'v1');
  t.is(went(world, 'a', { tenant_id: 'x' }), 'b@v2');
  t.is(went(world, 'a'), 'b@v1');
  open(world, 'b', 'v1');
  t.is(went(world, 'a'), 'c@v1');
  // b's rules chose v2, and nobody replaces that: not even b's own fallback.
  open(world, 'b', 'v2');
  t.is(went(world, 'a', { tenant_id: 'x' }), 'd@v1');
});

test('CANDIDATES-3: a fallback that a person disabled is not asked; one that is disabled automatically is asked by its breaker', (t) => {
  const entry = (row: Partial<ExtensionRow>) => worldOf({ a: { row: { policy: { fallback: ['b'] } } }, b: { row } });
  const off = entry({ enabled: false });
  open(off, 'a', 'v1');
  t.is(went(off, 'a'), 'circuit_open');
  const auto = entry({ enabled: false, auto_disabled: true });
  open(auto, 'a', 'v1');
  t.is(went(auto, 'a'), 'b@v1');
});

test('CANDIDATES-3: with health_based_routing_enabled off, nobody stands in but for a canary', (t) => {
  const settings = { healthBasedRouting: false };
  const world = worldOf({ a: { versions: { v1: {}, v2: {} }, row: { policy: { fallback: ['b'] } } }, b: {} }, settings);
  open(world, 'a', 'v2');
  t.is(went(world, 'a'), 'circuit_open');
  const canary = worldOf({ a: { versions: { v1: {}, v2: { rollout_percent: 100 } } } }, settings);
  open(canary, 'a', 'v2');
  t.is(went(canary, 'a', IN), 'a@v1');
});

test('CANDIDATES-3: what closes a circle is told and not asked, and is in force once another row opens it', (t) => {
  const world = worldOf({
    a: { row: { policy: { fallback: ['b'] } } },
    b: { row: { policy: { fallback: ['a'] }, breaker_override: 'isolated' } },
  });
  t.is(went(world, 'b'), 'isolated');
  t.like(
    world.events.find(({ event }) => event === 'registry_row_rejected'),
    { extension_id: 'b', reason: 'policy.fallback goes in a circle: b -> a -> b' },
  );
  world.feed$.next({ kind: 'changes', revision: 2, entries: [entryOf('a', { row: { revision: 2 } })], removedIds: [] });
  t.is(went(world, 'b'), 'a@v1');
});

test('CANDIDATES-3: at most eight other extensions are asked for one call, however many there are behind them', (t) => {
  const chain = Object.fromEntries(
    Array.from({ length: 2000 }, (_, i) => [`e${i}`, { row: { policy: { fallback: [`e${i + 1}`] } } }]),
  );
  const world = worldOf(chain);
  const called = world.call('e0');
  for (let i = 0; i < world.sent.length; i++) world.sent[i]?.end('no_responders');
  t.is(world.sent.length, 9);
  t.is(reasonOf(called), 'no_responders');
});

test('ROUTING-TABLE-3: a version whose rules exclude the call by now takes no retry of it', async (t) => {
  const versions = (tenant: string, revision: number) => ({
    v1: {},
    v2: { routing_rules: { tenant_id: tenant }, retry: 1, revision },
  });
  const world = worldOf({ a: { versions: versions('t1', 1) } });
  const called = world.call('a', null, { tenant_id: 't1' });
  const change = entryOf('a', { row: { revision: 2 }, versions: versions('t2', 2) });
  world.feed$.next({ kind: 'changes', revision: 2, entries: [change], removedIds: [] });
  world.sent[0]?.end(500);
  await world.pass(1000);
  t.is(world.sent.length, 1);
  t.like(called.answers[0], { retryable: 'maybe_executed', details: { reason: 'no_version' } });
});

test('a person’s disable refuses: neither versions nor fallbacks stand in', (t) => {
  const world = worldOf({
    a: { row: { enabled: false, policy: { fallback: ['b'] } }, versions: { v1: {}, v2: {} } },
    b: {},
  });
  t.is(went(world, 'a'), 'disabled');
});

test('an extension that only a person may enable again sends its calls to its fallbacks meanwhile', (t) => {
  const row = { enabled: false, auto_disabled: true, policy: { fallback: ['b'] } };
  const world = worldOf({ a: { row, versions: { v1: {}, v2: {} } }, b: {} }, { autoEnableOnCircuitClose: false });
  t.is(went(world, 'a'), 'b@v1');
  open(world, 'b', 'v1');
  t.is(went(world, 'a'), 'auto_disabled');
});

test('the caller is told why the version chosen did not take the call, not why those in its place did not', (t) => {
  const world = worldOf({ a: { row: { policy: { fallback: ['b'] } } }, b: { row: { breaker_override: 'isolated' } } });
  open(world, 'a', 'v1');
  t.is(went(world, 'a'), 'circuit_open');
});

test('no version takes the call: refused as no_version, and told apart from disabled ones', (t) => {
  const world = worldOf({
    a: { versions: { v1: { routing_rules: { tenant_id: 'x' } } } },
    b: { versions: { v1: { enabled: false } } },
  });
  t.is(went(world, 'a', { tenant_id: 'y' }), 'no_version');
  t.is(went(world, 'b'), 'disabled');
});

test('CALL-5: a call that nobody received is taken by the next candidate; one that may have been executed is not', async (t) => {
  const world = worldOf({ a: { row: { retry: 1, policy: { fallback: ['b'] } } }, b: {} });
  const called = world.call('a');
  world.sent[0]?.end('no_responders');
  t.is(world.sent[1]?.route.spec.extensionId, 'b');
  world.sent[1]?.end(0);
  t.deepEqual([called.answers, called.attempts], [['ok'], [2]]);
  const failed = world.call('a');
  world.sent[2]?.end(500);
  await world.pass(1000);
  t.is(world.sent[3]?.route.spec.extensionId, 'a');
  world.sent[3]?.end('no_responders');
  t.is(world.sent.length, 4);
  t.like(failed.answers[0], { retryable: 'maybe_executed', details: { reason: 'no_responders' } });
});

test('CALL-5: where nobody listens anywhere, the caller is told so of what he called, once', (t) => {
  const world = worldOf({ a: { row: { policy: { fallback: ['b', 'c'] } } }, b: {}, c: {} });
  const called = world.call('a');
  for (let i = 0; i < world.sent.length; i++) world.sent[i]?.end('no_responders');
  t.is(world.sent.length, 3);
  t.is(called.answers.length, 1);
  t.like(called.answers[0], { code: 'extension_unavailable', message: 'a cannot be called: no_responders' });
  t.is(world.core.router.inFlight, 0);
  for (const runtime of world.core.supervisor.runtimes.values()) t.is(runtime.inFlight, 0, runtime.id);
});

test('CALL-5: a retry stays with the fallback that had the call first, within its budget and its switches', async (t) => {
  const world = worldOf({ a: { row: { policy: { fallback: ['b'] } } }, b: { row: { retry: 2 } } });
  open(world, 'a', 'v1');
  const called = world.call('a');
  world.sent[0]?.end('timeout');
  await world.pass(1000);
  t.is(world.sent[1]?.route.spec.extensionId, 'b');
  world.feed$.next({
    kind: 'changes',
    revision: 2,
    entries: [entryOf('b', { row: { retry: 2, enabled: false, revision: 2 } })],
    removedIds: [],
  });
  world.sent[1]?.end('timeout');
  await world.pass(1000);
  t.is(world.sent.length, 2);
  t.like(called.answers[0], { retryable: 'maybe_executed', details: { reason: 'disabled' } });
  t.is(world.core.supervisor.runtimes.get('b')?.inFlight, 0);
});

test('CALL-5: a person who disables what was called ends the retries of its fallback too', async (t) => {
  const world = worldOf({ a: { row: { policy: { fallback: ['b'] } } }, b: { row: { retry: 2 } } });
  open(world, 'a', 'v1');
  world.call('a');
  world.sent[0]?.end('timeout');
  world.feed$.next({
    kind: 'changes',
    revision: 2,
    entries: [entryOf('a', { row: { enabled: false, revision: 2 } })],
    removedIds: [],
  });
  await world.pass(1000);
  t.is(world.sent.length, 1);
});

test('CALL-6: a fallback’s max_in_flight holds for the calls it takes for others; both places are given back', (t) => {
  const world = worldOf({
    a: { row: { policy: { fallback: ['b', 'c'] } } },
    b: { row: { policy: { max_in_flight: 1 } } },
    c: {},
  });
  open(world, 'a', 'v1');
  const first = world.call('a');
  t.is(world.core.supervisor.runtimes.get('b')?.inFlight, 1);
  t.is(went(world, 'a'), 'c@v1');
  t.is(went(world, 'b'), 'overloaded');
  world.sent[0]?.end(0);
  t.deepEqual(first.answers, ['ok']);
  t.is(went(world, 'a'), 'b@v1');
  for (const runtime of world.core.supervisor.runtimes.values()) t.is(runtime.inFlight, 0, runtime.id);
  t.is(world.core.router.inFlight, 0);
});

test('CALL-6: a call that moves on from one fallback to the next leaves no place behind', (t) => {
  const world = worldOf({ a: { row: { policy: { fallback: ['b', 'c'] } } }, b: {}, c: {} });
  open(world, 'a', 'v1');
  world.call('a');
  world.sent[0]?.end('no_responders');
  t.is(world.core.supervisor.runtimes.get('b')?.inFlight, 0);
  t.is(world.core.supervisor.runtimes.get('c')?.inFlight, 1);
  world.sent[1]?.end(0);
  t.is(world.core.supervisor.runtimes.get('c')?.inFlight, 0);
});

test('the time of a caller that names none is that of the version that serves him', (t) => {
  const world = worldOf({
    a: { row: { timeout_ms: 50, policy: { fallback: ['b'] } } },
    b: { row: { timeout_ms: 700 } },
  });
  open(world, 'a', 'v1');
  world.call('a');
  t.like(world.sent[0], { timeoutMs: 700, remainingMs: 700 });
  world.call('a', 200);
  t.like(world.sent[1], { timeoutMs: 700, remainingMs: 200 });
});

for (const [chosen, entries] of Object.entries<Readonly<Record<string, Entry>>>({
  'a default with a fallback': {
    a: {
      row: { timeout_ms: 100, policy: { fallback: ['b'] } },
      instances: { i1: { version: 'v1' }, i2: { version: 'v1' } },
    },
    b: { row: { timeout_ms: 5000 } },
  },
  'a canary': {
    a: {
      row: { timeout_ms: 5000 },
      versions: { v2: { timeout_ms: 100, rollout_percent: 100 } },
      instances: { i1: { version: 'v2' }, i2: { version: 'v2' } },
    },
  },
}))
  test(`the time of a version whose instances nobody listens at ends with it: ${chosen}`, (t) => {
    const world = worldOf(entries);
    const called = world.call('a');
    for (const at of [0, 1]) {
      world.clock.advance(1);
      world.sent[at]?.end('no_responders');
    }
    t.like(world.sent[2], { timeoutMs: 5000, remainingMs: 4998 });
    world.clock.advance(300);
    t.deepEqual(called.answers, []);
    world.sent[2]?.end(0);
    t.deepEqual(called.answers, ['ok']);
  });

test('panic policy: any_enabled uses instances that are out where none is left, fail refuses with no_instance', (t) => {
  const instances = { i1: { health_status: 'unhealthy' }, i2: { health_status: 'unhealthy' } } as const;
  // The first call tries one that is out; the second finds none to try.
  const any = worldOf({ a: { instances } });
  any.call('a');
  any.call('a');
  any.call('a');
  t.is(any.sent.length, 3);
  const fail = worldOf({ a: { instances, row: { policy: { panic: 'fail' } } } });
  const calls = [fail.call('a'), fail.call('a'), fail.call('a')];
  t.deepEqual(
    calls.map(reasonOf),
    calls.map((called) => (called.answers.length === 0 ? 'no refusal' : 'no_instance')),
  );
  t.true(calls.some((called) => called.answers.length === 1));
});

test('panic policy fail: the fallback takes what no instance may', (t) => {
  const world = worldOf({
    a: { instances: { i1: { weight: 0 } }, row: { policy: { panic: 'fail', fallback: ['b'] } } },
    b: {},
  });
  t.is(went(world, 'a'), 'b@v1');
});

test('what took a call, and why, is counted', (t) => {
  const world = worldOf({ a: { ...SEED, row: { policy: { fallback: ['b'] } } }, b: {} });
  went(world, 'a');
  went(world, 'a', { tenant_id: 'tenant1' });
  open(world, 'a', 'v1');
  went(world, 'a');
  const samples = new Map([...world.core.view.extensions()].map((sample) => [sample.extension_id, sample]));
  t.deepEqual(samples.get('a')?.routed, [
    { version: 'v1', by: 'default', calls: 1 },
    { version: 'v2', by: 'rules', calls: 1 },
  ]);
  t.deepEqual(samples.get('b')?.routed, [{ version: 'v1', by: 'fallback', calls: 1 }]);
  t.deepEqual([...(samples.get('a')?.fallbacks ?? [])], [['b', 1]]);
});

test('what nobody received counts for nobody, and a retry counts once', async (t) => {
  const world = worldOf({ a: { row: { policy: { fallback: ['b', 'c'] } } }, b: {}, c: { row: { retry: 1 } } });
  world.call('a');
  world.sent[0]?.end('no_responders');
  world.sent[1]?.end('no_responders');
  world.sent[2]?.end(500);
  await world.pass(1000);
  world.sent[3]?.end(0);
  const routed = new Map([...world.core.view.extensions()].map((sample) => [sample.extension_id, sample.routed]));
  t.deepEqual(Object.fromEntries(routed), { a: [], b: [], c: [{ version: 'v1', by: 'fallback', calls: 1 }] });
  t.deepEqual([...(world.core.supervisor.runtimes.get('a')?.stats.fallbacks ?? [])], [['c', 1]]);
});

test('the counts of a version stay while it is disabled, and go with its row', (t) => {
  const world = worldOf({ a: { versions: { v1: {}, v2: {} } } });
  const change = (revision: number, versions: Readonly<Record<string, Partial<VersionRow>>>) =>
    world.feed$.next({
      kind: 'changes',
      revision,
      entries: [entryOf('a', { row: { revision }, versions })],
      removedIds: [],
    });
  const routed = () => [...world.core.view.extensions()][0]?.routed;
  t.is(went(world, 'a'), 'a@v2');
  change(2, { v1: {}, v2: { enabled: false, revision: 2 } });
  change(3, { v1: {}, v2: { enabled: true, revision: 3 } });
  t.is(went(world, 'a'), 'a@v2');
  t.deepEqual(routed(), [{ version: 'v2', by: 'default', calls: 2 }]);
  change(4, { v1: {} });
  t.deepEqual(routed(), []);
});

test('CANDIDATES-3: the routing key that a large body hides from the balancer is no reason to skip a fallback', (t) => {
  const world = worldOf({
    a: { row: { policy: { balancer: 'consistent_hash', fallback: ['b'] } }, instances: { i1: {}, i2: {} } },
    b: { versions: { v2: { routing_rules: { tenant_id: 't1' } } } },
  });
  const hidden: Context = {
    get: (key) => (key === 'tenant_id' ? 't1' : { code: 'invalid_request', message: 'too large' }),
  };
  world.callWith('a', hidden);
  world.sent[0]?.end('no_responders');
  world.sent[1]?.end('no_responders');
  t.like(world.sent[2]?.route.spec, { extensionId: 'b', version: 'v2' });
});

// CANDIDATES-4

async function weaken(world: Traffic, id: string): Promise<void> {
  world.behaviour.set(`ext.${id}`, { ends: 500, afterMs: 1 });
  await world.come(id, 1, 4);
  world.behaviour.delete(`ext.${id}`);
  await world.come(id, 1, 6);
}

function trafficOf(entries: Readonly<Record<string, Entry>>): Traffic {
  const world = new Traffic({ autoDisableOnCircuitOpen: false });
  world.feed$.next(snapshotOf(1, ...Object.entries(entries).map(([id, entry]) => entryOf(id, entry))));
  return world;
}

test('CANDIDATES-4: under the minimum success rate the default is passed over, but for every tenth call', async (t) => {
  const world = trafficOf({ a: { row: { policy: { fallback: ['b'] } } }, b: {} });
  await weaken(world, 'a');
  const before = world.sentTo('ext.a');
  const calls = await world.come('a', 10, 10);
  t.is(okShare(calls), 1);
  const own = world.sentTo('ext.a') - before;
  t.is(own, 10);
  t.is(world.sentTo('ext.b'), 90);
});

test('CANDIDATES-4: nobody is passed over before ten outcomes, nor at the minimum itself, nor where nobody else takes calls', async (t) => {
  const few = trafficOf({ a: { row: { policy: { fallback: ['b'] } } }, b: {} });
  few.behaviour.set('ext.a', FAILS);
  await few.come('a', 1, 4);
  t.is(few.sentTo('ext.b'), 0);
  const enough = trafficOf({ a: { row: { policy: { fallback: ['b'] } } }, b: {} });
  enough.behaviour.set('ext.a', FAILS);
  await enough.come('a', 1, 2);
  enough.behaviour.delete('ext.a');
  await enough.come('a', 1, 18);
  t.is(enough.sentTo('ext.b'), 0);
  const alone = trafficOf({
    a: { row: { policy: { fallback: ['b'] } } },
    b: { row: { breaker_override: 'isolated' } },
  });
  await weaken(alone, 'a');
  const calls = await alone.come('a', 5, 10);
  t.is(okShare(calls), 1);
  t.is(alone.sentTo('ext.a'), 60);
});

test('CANDIDATES-4: who fails too often himself does not take the calls of a default version that does', async (t) => {
  const world = trafficOf({
    a: { row: { policy: { fallback: ['b', 'c'] } } },
    b: {},
    c: { row: { breaker_override: 'isolated' } },
  });
  await weaken(world, 'a');
  await weaken(world, 'b');
  const before = world.sentTo('ext.b');
  const calls = await world.come('a', 5, 10);
  t.is(okShare(calls), 1);
  t.is(world.sentTo('ext.b'), before);
});

test('CANDIDATES-4: a default version that fails too often and is gated by now gets no call, also where nobody else takes it', async (t) => {
  const world = new Traffic({ autoDisableOnCircuitOpen: false, autoEnableOnCircuitClose: false });
  const told = (row: Partial<ExtensionRow>) => [
    entryOf('a', { row: { policy: { fallback: ['b'] }, ...row } }),
    entryOf('b', { row: { breaker_override: 'isolated' } }),
  ];
  world.feed$.next(snapshotOf(1, ...told({})));
  await weaken(world, 'a');
  const entries = told({ enabled: false, auto_disabled: true, revision: 2 });
  world.feed$.next({ kind: 'changes', revision: 2, entries, removedIds: [] });
  for (let i = 0; i < 12; i++) t.is(went(world, 'a'), 'auto_disabled');
});

test('CANDIDATES-4: a default version that works again comes back to all of its calls, without going to and fro', async (t) => {
  const world = trafficOf({ a: { row: { policy: { fallback: ['b'] } } }, b: {} });
  await weaken(world, 'a');
  const shares: number[] = [];
  for (let minute = 0; minute < 8; minute++) {
    const before = world.sentTo('ext.a');
    await world.come('a', 60, 5);
    shares.push((world.sentTo('ext.a') - before) / 300);
  }
  t.is(shares.at(-1), 1);
  // Once up, it stays up.
  const back = shares.indexOf(1);
  t.true(
    shares.slice(back).every((share) => share === 1),
    shares.join(),
  );
});

test('CANDIDATES-4: with little traffic, a default version that recovers has its calls back as soon as its breaker is closed', async (t) => {
  const world = trafficOf({ a: { row: { policy: { fallback: ['b'] } } }, b: {} });
  world.behaviour.set('ext.a', FAILS);
  for (let i = 0; i < 5; i++) await world.come('a', 1, 1);
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'open');
  world.behaviour.delete('ext.a');
  // A call every five seconds.
  const minute = async (): Promise<string[]> => {
    const before = world.sent.length;
    for (let i = 0; i < 12; i++) {
      await world.come('a', 1, 1);
      await world.pass(4000, 1000);
    }
    return world.sent.slice(before).map((attempt) => attempt.route.subject);
  };
  t.true((await minute()).filter((subject) => subject === 'ext.b').length >= 11, 'while it is open');
  t.deepEqual([...new Set(await minute())], ['ext.a']);
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'closed');
  t.true((world.core.view.one('a')?.health.success_rate ?? 1) < 0.8, 'the health window still holds the failures');
});

test('CANDIDATES-4: what was in flight when it opened, and fails after it has closed, is not held against it', async (t) => {
  const world = trafficOf({ a: { row: { timeout_ms: 600_000, policy: { fallback: ['b'] } } }, b: {} });
  world.behaviour.set('ext.a', { ends: 500, afterMs: 70_000 });
  await world.come('a', 1, 15);
  world.behaviour.set('ext.a', FAILS);
  await world.come('a', 1, 5);
  world.behaviour.delete('ext.a');
  await world.pass(61_000, 1000);
  await world.come('a', 4, 1);
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'closed');
  await world.pass(10_000, 1000);
  const before = world.sentTo('ext.b');
  t.is(okShare(await world.come('a', 10, 2)), 1);
  t.is(world.sentTo('ext.b'), before);
});

test('CANDIDATES-4: a default version that closes and still fails often is passed over again', async (t) => {
  const world = trafficOf({
    a: { row: { policy: { fallback: ['b'], breaker: { failure_threshold: 1000, error_rate_threshold: 0.9 } } } },
    b: {},
  });
  world.core.supervisor.runtimes
    .get('a')
    ?.defaultService?.target.send({ type: 'breaker.probe', nowMs: world.clock.now() });
  await world.come('a', 2, 2);
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'closed');
  let n = 0;
  world.behaviour.set('ext.a', {
    get ends() {
      return ++n % 2 === 0 ? 500 : 0;
    },
    afterMs: 1,
  });
  await world.come('a', 10, 10);
  t.true(world.sentTo('ext.b') > 70);
});

test('CANDIDATES-4: a version that fails too often and is passed over causes few failures', async (t) => {
  const world = trafficOf({
    a: { row: { policy: { fallback: ['b'], breaker: { circuit_breaker_enabled: false } } } },
    b: {},
  });
  world.behaviour.set('ext.a', FAILS);
  await world.come('a', 2, 10);
  const calls = await world.come('a', 60, 10);
  t.is(okShare(calls), 0.9);
});

test('places: whatever candidates, ends and switches come, every call has one answer and no place is left', async (t) => {
  for (const seed of seeds(150)) {
    const random = seededRandom(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const world = new ActorWorld({
      autoDisableOnCircuitOpen: random() < 0.5,
      autoEnableOnCircuitClose: random() < 0.8,
    });
    const told = (revision: number) => [
      entryOf('a', {
        row: {
          retry: 1,
          revision,
          enabled: random() < 0.9,
          policy: { fallback: ['b', 'c'], rules_fallback: random() < 0.5, max_in_flight: 6 },
        },
        versions: {
          v1: { retry: 1, enabled: random() < 0.9, revision },
          v2: { routing_rules: { tenant_id: 't1' }, enabled: random() < 0.9, revision },
          v3: { rollout_percent: 30, retry: 1, enabled: random() < 0.9, revision },
        },
        instances: { i1: { version: 'v1', revision }, i2: { version: 'v1', weight: pick([0, 50]), revision } },
      }),
      entryOf('b', { row: { revision, enabled: random() < 0.9, policy: { fallback: ['c'], max_in_flight: 3 } } }),
      entryOf('c', { row: { revision, retry: 2 } }),
    ];
    world.feed$.next(snapshotOf(1, ...told(1)));
    const calls: Called[] = [];
    for (let step = 0; step < 80; step++) {
      world.random = random();
      const what = random();
      if (what < 0.5)
        calls.push(world.call(pick(['a', 'a', 'b', 'c']), pick([null, 40]), { tenant_id: pick(['t1', 't2', 't3']) }));
      else if (what < 0.85)
        world.sent[Math.floor(random() * world.sent.length)]?.end(
          pick([0, 0, 500, 'timeout', 'no_responders', 'disconnected']),
        );
      else if (what < 0.95) await world.pass(pick([50, 400]));
      else world.feed$.next({ kind: 'changes', revision: step + 2, entries: told(step + 2), removedIds: [] });
    }
    for (let i = 0; i < 5; i++) {
      for (const sent of [...world.sent]) sent.end(0);
      await world.pass(1200);
    }
    t.deepEqual(
      calls.filter((called) => called.answers.length !== 1),
      [],
      `seed ${seed}`,
    );
    t.is(world.core.router.inFlight, 0, `seed ${seed}`);
    for (const runtime of world.core.supervisor.runtimes.values())
      t.is(runtime.inFlight, 0, `${runtime.id}, seed ${seed}`);
  }
});
