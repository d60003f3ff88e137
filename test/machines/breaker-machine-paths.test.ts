// Paths through the statechart, found by the library and driven on a real actor.
import test, { type ExecutionContext } from 'ava';
import { getShortestPaths, getSimplePaths } from 'xstate/graph';
import { DecisionWindow } from '../../src/domain/breaker/decision-window.js';
import { breakerMachine } from '../../src/machines/breaker-machine.js';
import type { BreakerEvent, BreakerInput } from '../../src/machines/breaker-types.js';
import { breakerSettings } from '../helpers/breaker-settings.js';
import { breakerInput, LEASE_MS, MachineWorld, type PlainEvent } from '../helpers/machine-world.js';

const OPEN_TIMER = 'xstate.after.openTime.breaker.open';
const RAMP_TIMER = 'xstate.after.rampTime.breaker.closed.recovering';
const LEASE_TIMER = 'xstate.after.lease.breaker.halfOpen.probing';

/** To find paths, the rules are met whenever they are evaluated, and every time is over. */
class MetWindow extends DecisionWindow {
  override failures = () => 5;
  override outcomes = () => 5;
}

const PATH_INPUT: BreakerInput = breakerInput(breakerSettings(), { window: new MetWindow(60_000), now: () => 1e12 });

/** A timer's event carries no time: the clock is asked. */
const at = (type: string): BreakerEvent =>
  (type.startsWith('xstate.') ? { type } : { type, nowMs: 0, startedMs: 0 }) as unknown as BreakerEvent;
const OWN_EVENTS = [
  'attempt.failed',
  'probe.started',
  'probe.succeeded',
  'probe.failed',
  'probe.released',
  'ramp.completed',
  OPEN_TIMER,
  LEASE_TIMER,
  RAMP_TIMER,
].map(at);
const OPERATORS_EVENTS = [
  'breaker.isolate',
  'breaker.force_close',
  'breaker.release',
  'breaker.reset',
  'breaker.probe',
  'breaker.enable',
  'subject.changed',
].map(at);

const traversal = (events: readonly BreakerEvent[]) => ({
  input: PATH_INPUT,
  events,
  serializeState: (snapshot: ReturnType<typeof breakerMachine.resolveState>) =>
    JSON.stringify([snapshot.value, snapshot.context.probes.length, snapshot.context.probeSuccesses]),
  filterEvents: (snapshot: ReturnType<typeof breakerMachine.resolveState>, event: BreakerEvent) =>
    !(event.type === 'probe.started' && snapshot.context.probes.length >= 2) && snapshot.can(event),
});

function drive(t: ExecutionContext, world: MachineWorld, type: string): void {
  if (type === OPEN_TIMER || type === LEASE_TIMER || type === RAMP_TIMER) {
    const before = world.state;
    const { openUntilMs, probes, closedAtMs } = world.context;
    const rampEndMs = closedAtMs + world.settings.recovery_ramp_seconds * 1000;
    const endMs =
      type === OPEN_TIMER ? openUntilMs : type === RAMP_TIMER ? rampEndMs : (probes[0] as number) + LEASE_MS;
    world.clock.advance(endMs - world.clock.now() - 1);
    t.is(world.state, before, `${type} does not fire a millisecond early`);
    world.clock.advance(1);
  } else if (type === 'attempt.failed') world.fail(5);
  else if (/^probe\.(succeeded|failed|released)$/.test(type))
    world.endProbe(type.slice('probe.'.length) as 'succeeded' | 'failed' | 'released');
  else world.send(type as PlainEvent);
}

function driveAll(t: ExecutionContext, paths: ReturnType<typeof getShortestPaths<typeof breakerMachine>>): number {
  let steps = 0;
  for (const path of paths) {
    const world = new MachineWorld();
    for (const { event, state } of path.steps) {
      if ((event.type as string) !== 'xstate.init') drive(t, world, event.type);
      t.deepEqual(world.actor.getSnapshot().value, state.value, path.steps.map((s) => s.event.type).join(' > '));
      t.is(world.context.probes.length, state.context.probes.length);
      t.is(world.context.probeSuccesses, state.context.probeSuccesses);
      steps++;
    }
    t.deepEqual(world.errors, []);
    world.actor.stop();
    t.is(world.clock.armed, 0);
  }
  return steps;
}

test('paths: the shortest way into every state exists and goes as the statechart says', (t) => {
  const paths = getShortestPaths(breakerMachine, traversal([...OWN_EVENTS, ...OPERATORS_EVENTS]));
  const reached = new Set(paths.map((path) => JSON.stringify(path.state.value)));
  t.is(reached.size, 7);
  t.true(driveAll(t, paths) >= 20);
});

test('paths: every simple way that traffic and timers can take goes as the statechart says', (t) => {
  const paths = getSimplePaths(breakerMachine, traversal(OWN_EVENTS));
  t.true(paths.length >= 10, `${paths.length} paths`);
  t.true(driveAll(t, paths) >= 40);
});
