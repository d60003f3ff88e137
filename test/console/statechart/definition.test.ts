// The console's own reading of a definition beside xstate's.
import test, { type ExecutionContext } from 'ava';
import { createMachine, type StateNode as XStateNode } from 'xstate';
import {
  activeNodes,
  causeAmong,
  isBootState,
  stateText,
  transitionTaken,
} from '../../../console/statechart/active.js';
import { type Json, type Machine, machineOf } from '../../../console/statechart/definition.js';
import { breakerMachine } from '../../../src/machines/breaker-machine.js';
import { supervisorMachine } from '../../../src/machines/supervisor-machine.js';
import { definitionOf } from './definitions.js';

interface Plain {
  readonly node: string;
  readonly event: string;
  readonly guard: string | null;
  readonly actions: readonly string[];
  readonly targets: readonly string[];
  readonly reenter: boolean;
}

/** Every transition as xstate has it: its own nodes, made of the same JSON. */
function theirs(definition: string): { readonly nodes: string[]; readonly transitions: Plain[] } {
  const nodes: string[] = [];
  const transitions: Plain[] = [];
  const name = (one: unknown): string => (typeof one === 'string' ? one : String((one as { type: string }).type));
  const walk = (node: XStateNode): void => {
    nodes.push(`${node.id} ${node.type} ${node.initial.target[0]?.id ?? '-'}`);
    for (const one of [...node.transitions.values()].flat().concat(node.always ?? []))
      transitions.push({
        node: node.id,
        event: one.eventType,
        guard: one.guard === undefined ? null : name(one.guard),
        actions: one.actions.map(name),
        targets: (one.target ?? []).map(({ id }) => id),
        reenter: one.reenter,
      });
    for (const child of Object.values(node.states)) walk(child);
  };
  walk(createMachine(JSON.parse(definition)).root as unknown as XStateNode);
  return { nodes, transitions };
}

const ours = ({ nodes, transitions }: Machine) => ({
  nodes: nodes.map(({ id, type, initial }) => `${id} ${type} ${initial?.id ?? '-'}`),
  transitions: transitions.map(({ source, event, guard, actions, targets, reenter }) => ({
    node: source.id,
    event,
    guard,
    actions: [...actions],
    targets: targets.map(({ id }) => id),
    reenter,
  })),
});

function agrees(t: ExecutionContext, definition: string): Machine {
  const machine = machineOf(definition);
  const expected = theirs(definition);
  const found = ours(machine);
  t.deepEqual(found.nodes, expected.nodes);
  // The order among different events is of no consequence; among those of one event it is.
  const sorted = (all: readonly Plain[]) =>
    [...all].sort((a, b) => compare(`${a.node} ${a.event}`, `${b.node} ${b.event}`));
  t.deepEqual(sorted(found.transitions), sorted(expected.transitions));
  return machine;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

test('DEFINITION-1: every state and transition of the breaker is that of xstate', (t) => {
  const machine = agrees(t, definitionOf(breakerMachine));
  t.true(machine.transitions.length >= 45, `${machine.transitions.length}`);
});

test('DEFINITION-1: every state and transition of the supervisor is that of xstate', (t) => {
  const machine = agrees(t, definitionOf(supervisorMachine));
  t.is(machine.nodes.length, 5);
});

test('DEFINITION-1: every way to write a transition is read as xstate reads it', (t) => {
  agrees(
    t,
    JSON.stringify({
      id: 'all',
      type: 'parallel',
      states: {
        left: {
          initial: 'one',
          states: {
            one: {
              id: 'first',
              entry: ['a', { type: 'b', params: { x: 1 } }],
              exit: 'c',
              on: {
                string: 'two',
                list: ['two', { target: 'deep.inner', guard: { type: 'g', params: {} } }],
                both: { target: ['#all.left.two', '#all.right.y'] },
                self: { target: 'one', reenter: true },
                internal: { actions: ['x', { type: 'y' }] },
                forbidden: {},
                'part.*': '#second',
                '*': '#second.inner',
              },
              after: { 1000: 'two', named: [{ guard: 'g', target: '#all.left.deep' }, { target: 'two' }] },
            },
            two: { always: [{ guard: 'ready', target: 'deep' }, 'one'], type: 'atomic' },
            deep: {
              id: 'second',
              initial: 'inner',
              invoke: { src: 'work', id: 'work', onDone: 'two', onError: { target: 'one', actions: 'log' } },
              onDone: '#first',
              states: {
                inner: { on: { up: '#all.left.two', done: 'end', down: '.x' }, states: { x: {} }, initial: 'x' },
                end: { type: 'final' },
              },
            },
          },
        },
        right: {
          initial: 'y',
          states: { y: {}, z: { invoke: [{ src: 's' }, { src: 't', onSnapshot: { actions: 'n' } }] } },
        },
      },
      on: { reset: '.left', quiet: { actions: 'nothing' } },
    }),
  );
});

test('DEFINITION-1: a target that is no state is an error that names it', (t) => {
  const definition = JSON.stringify({ id: 'm', initial: 'a', states: { a: { on: { go: 'nowhere' } } } });
  t.throws(() => machineOf(definition), { message: "the definition has no state 'nowhere'" });
});

const breaker = machineOf(definitionOf(breakerMachine));

test('the active states of a value are found, and what is unknown is left out', (t) => {
  const ids = (value: Json) => activeNodes(breaker, value).map(({ id }) => id);
  t.deepEqual(ids('open'), ['breaker.open']);
  t.deepEqual(ids({ halfOpen: 'probing' }), ['breaker.halfOpen', 'breaker.halfOpen.probing']);
  t.deepEqual(ids('nowhere'), []);
  t.deepEqual(ids(null), []);
  t.is(stateText({ closed: 'steady' }), 'closed.steady');
  t.is(stateText({ a: { b: 'c' }, d: {} }), 'a.b.c, d');
  t.is(stateText(undefined), '–');
});

const steady: Json = { closed: 'steady' };
const waiting: Json = { halfOpen: 'waiting' };
/** Old state, new state, events since the last snapshot, and which of them is the cause. */
const CAUSES: readonly [what: string, from: Json, to: Json, events: readonly string[], cause: string | null][] = [
  ['trip', steady, 'open', ['attempt.failed', 'attempt.failed', 'settings.changed'], 'attempt.failed'],
  ['trip by a tick', steady, 'open', ['tick', 'subject.changed'], 'tick'],
  ['isolate', steady, 'isolated', ['breaker.isolate', 'settings.changed'], 'breaker.isolate'],
  ['force closed', 'open', 'forcedClosed', ['breaker.force_close', 'settings.changed'], 'breaker.force_close'],
  ['release', 'isolated', waiting, ['breaker.release', 'breaker.renew'], 'breaker.release'],
  ['release of a forced one', 'forcedClosed', steady, ['breaker.release', 'breaker.renew'], 'breaker.release'],
  [
    'the timer',
    'open',
    waiting,
    ['xstate.after.openTime.breaker.open', 'settings.changed'],
    'xstate.after.openTime.breaker.open',
  ],
  [
    'recovery without a ramp',
    { halfOpen: 'probing' },
    steady,
    ['probe.succeeded', 'attempt.succeeded'],
    'probe.succeeded',
  ],
  ['a failed probe', { halfOpen: 'probing' }, 'open', ['probe.started', 'probe.failed', 'tick'], 'probe.failed'],
  ['a state in between was left out', steady, waiting, ['attempt.failed', 'settings.changed'], null],
  ['nothing that it knows', 'open', steady, ['something.else'], null],
];

for (const [what, from, to, events, cause] of CAUSES)
  test(`ACTIVE-1: the cause of ${stateText(from)} → ${stateText(to)} is ${cause ?? 'unknown'} (${what})`, (t) => {
    t.is(events[causeAmong(breaker, from, to, events)] ?? null, cause);
  });

test('ACTIVE-2: of several transitions of one event, that one was taken whose target was entered', (t) => {
  const guard = (from: Json, to: Json, type: string) => transitionTaken(breaker, from, to, type)?.guard;
  t.is(guard(steady, 'open', 'attempt.failed'), 'shouldTrip');
  t.is(guard({ halfOpen: 'probing' }, waiting, 'probe.succeeded'), 'isOnlyProbe');
  t.is(guard({ halfOpen: 'probing' }, { closed: 'recovering' }, 'probe.succeeded'), 'isLastProbe');
  t.is(guard({ halfOpen: 'probing' }, { halfOpen: 'probing' }, 'probe.succeeded'), null);
  t.is(transitionTaken(breaker, steady, steady, 'settings.changed')?.source.id, 'breaker');
  t.is(transitionTaken(breaker, 'open', 'isolated', 'settings.changed'), null);
});

test('ACTIVE-2: whether a guard let a transition through that changes no state is not known', (t) => {
  t.is(transitionTaken(breaker, steady, steady, 'attempt.failed'), null);
  t.is(transitionTaken(breaker, 'open', 'open', 'settings.changed'), null, 'entered again, or only changed');
  t.deepEqual(transitionTaken(breaker, 'open', 'open', 'xstate.after.openTime.breaker.open')?.reenter, true);
});

test('ACTIVE-2: wildcards match as xstate matches them', (t) => {
  const machine = machineOf(
    JSON.stringify({ id: 'm', initial: 'a', states: { a: { on: { 'x.*': 'b', '*': 'c' } }, b: {}, c: {} } }),
  );
  t.is(transitionTaken(machine, 'a', 'b', 'x.y')?.event, 'x.*');
  t.is(transitionTaken(machine, 'a', 'b', 'x')?.event, 'x.*');
  t.is(transitionTaken(machine, 'a', 'b', 'xy'), null);
  t.is(transitionTaken(machine, 'a', 'c', 'anything')?.event, '*');
});

test('the state in which the breaker decides where to begin is a boot state, no other one is', (t) => {
  t.deepEqual(
    breaker.nodes.filter((node) => isBootState(breaker, node)).map(({ id }) => id),
    ['breaker.restoring'],
  );
});
