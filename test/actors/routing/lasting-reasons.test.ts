// Each reason of UNAVAILABLE_REASONS that lasts until an operator changes something: the error, the reply and explain say that the same call would be
// refused again; and each that does not.
import test from 'ava';
import { LASTING_REASONS, UNAVAILABLE_REASONS, type UnavailableReason } from '../../../src/domain/registry/errors.js';
import type { ExtensionRow, RegistryEntry } from '../../../src/domain/registry/registry-rows.js';
import { errorBody } from '../../../src/nats/wire/error-reply.js';
import { ActorWorld } from '../../helpers/actor-world.js';
import {
  changesOf,
  extensionRow,
  instanceRow,
  registryEntry,
  snapshotOf,
  versionRow,
} from '../../helpers/registry-rows.js';

/** Makes a world in which a call of `a` is refused for the reason; `more`: columns of its row. */
const REFUSING: Readonly<Record<string, (more: Partial<ExtensionRow>, others: RegistryEntry[]) => ActorWorld>> = {
  disabled: (more, others) => withRow({ enabled: false, ...more }, others),
  isolated: (more, others) => withRow({ breaker_override: 'isolated', ...more }, others),
  auto_disabled: (more, others) =>
    withRow({ enabled: false, auto_disabled: true, ...more }, others, { autoEnableOnCircuitClose: false }),
  no_version: (more, others) => {
    const world = new ActorWorld({ autoDisableOnCircuitOpen: false });
    const versions = [versionRow('a', 'v1', { routing_rules: { plan: 'gold' } })];
    world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', more), { versions }), ...others));
    return world;
  },
  row_invalid: (more, others) => withRow({ type: 'nonsense', ...more }, others),
};

function withRow(
  row: Partial<ExtensionRow>,
  others: RegistryEntry[],
  settings: ConstructorParameters<typeof ActorWorld>[0] = {},
): ActorWorld {
  const world = new ActorWorld({ autoDisableOnCircuitOpen: false, ...settings });
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', row)), ...others));
  return world;
}

/** As a caller over NATS gets it. */
const replyOf = (answer: unknown) =>
  (JSON.parse(String(errorBody(answer as Parameters<typeof errorBody>[0], 'a'))) as { error: Record<string, unknown> })
    .error;

test('lasting reasons: each of them is tried here', (t) => {
  t.deepEqual(Object.keys(REFUSING).toSorted(), [...LASTING_REASONS].toSorted());
});

for (const [reason, worldWith] of Object.entries(REFUSING)) {
  test(`lasting reasons: ${reason} is not retryable, for the caller and in explain`, (t) => {
    const world = worldWith({}, []);
    const [answer] = world.call('a').answers;
    t.like(replyOf(answer), { code: 'extension_unavailable', retryable: false, details: { reason } });
    t.false('retry_after_ms' in replyOf(answer));
    t.false('maybe_executed' in (replyOf(answer).details as object), 'nothing was sent');
    t.like(world.core.explain('a', {})?.answer, { kind: 'refused', reason, retryable: false });
  });

  test(`lasting reasons: ${reason} is not retryable where a fallback refuses too, whatever that one refuses for`, (t) => {
    const open = registryEntry(extensionRow('b', { breaker_override: 'isolated' }));
    const world = worldWith({ policy: { fallback: ['b'] } }, [open]);
    const called = world.call('a');
    t.like(replyOf(called.answers[0]), { retryable: false, details: { reason } });
    t.like(world.core.explain('a', {})?.answer, { kind: 'refused', reason, retryable: false });
  });
}

test('lasting reasons: an extension that is disabled automatically and recovers is refused as its breaker says, and may be tried again', (t) => {
  const world = new ActorWorld({ autoDisableOnCircuitOpen: false });
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  world.feed$.next(
    changesOf(2, [registryEntry(extensionRow('a', { enabled: false, auto_disabled: true, revision: 2 }))]),
  );
  const [answer] = world.call('a').answers;
  const error = replyOf(answer);
  t.like(error, { retryable: true, details: { reason: 'circuit_open' } });
  t.true(Number(error.retry_after_ms) > 0);
  t.like(world.core.explain('a', {})?.answer, { kind: 'refused', reason: 'circuit_open', retryable: true });
});

test('lasting reasons: what passes by itself may be tried again', (t) => {
  const passing = (Object.keys(UNAVAILABLE_REASONS) as UnavailableReason[]).filter((one) => !LASTING_REASONS.has(one));
  t.deepEqual(passing, [
    'circuit_open',
    'half_open_full',
    'recovering',
    'no_instance',
    'no_responders',
    'actor_failed',
  ]);
  const world = new ActorWorld({ autoDisableOnCircuitOpen: false });
  const instances = [instanceRow('a', 'i1', { weight: 0 })];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances })));
  t.like(replyOf(world.call('a').answers[0]), { retryable: true, details: { reason: 'no_instance' } });
  t.like(world.core.explain('a', {})?.answer, { reason: 'no_instance', retryable: true });
});
