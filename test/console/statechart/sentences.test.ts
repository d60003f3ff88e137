// The text form of a chart, and when timers are due.
import test from 'ava';
import type { Json } from '../../../console/statechart/definition.js';
import { machineOf } from '../../../console/statechart/definition.js';
import type { View } from '../../../console/statechart/log.js';
import { anywhere, sentencesOf } from '../../../console/statechart/sentences.js';
import { dueAtMs, sinceMs } from '../../../console/statechart/timers.js';
import { breakerMachine } from '../../../src/machines/breaker-machine.js';
import { definitionOf } from './definitions.js';

const machine = machineOf(definitionOf(breakerMachine));
const NOW = 1_700_000_000_000;
const view = (value: Json, context: View['context'] = {}): View => ({ value, status: 'active', error: null, context });
const seconds = (ms: number): string => `${ms / 1000} s`;
const timer = (delay: string) =>
  machine.transitions.find((one) => one.delay === delay) as (typeof machine.transitions)[number];

test('words: an open breaker says when it tries again, what else leads out, and what stays', (t) => {
  const open = view('open', { openUntilMs: NOW + 46_000, openedAtMs: NOW - 14_000 });
  const [said, ...others] = sentencesOf(machine, open, sinceMs(open), NOW, seconds);
  t.deepEqual(others, []);
  t.is(said?.name, 'open');
  t.deepEqual(said?.leaves, [
    'open.elapsed if isOpenTimeOver → halfOpen',
    'subject.changed → halfOpen',
    'breaker.probe → halfOpen',
    'after openTime in 46 s if isOpenTimeOver → halfOpen',
  ]);
  t.deepEqual(said?.stays, [
    'settings.changed if isOpenTimeShorter ↺',
    'settings.changed does takeSettings',
    'after openTime in 46 s ↺',
  ]);
  t.is(sinceMs(open), NOW - 14_000);
});

test('words: a state within another one is a sentence of its own; a timer that is due says now', (t) => {
  const probing = view({ halfOpen: 'probing' }, { leasesUntilMs: [NOW + 5000, NOW - 1] });
  const said = sentencesOf(machine, probing, null, NOW, seconds);
  t.deepEqual(
    said.map(({ name }) => name),
    ['halfOpen', 'halfOpen.probing'],
  );
  t.true(said[1]?.leaves.includes('after lease now → open'));
  t.true(said[1]?.leaves.includes('probe.succeeded if isLastProbe → closed.recovering'));
});

test('words: what leaves every state is said once', (t) => {
  t.deepEqual(anywhere(machine), [
    'breaker.isolate → isolated',
    'breaker.force_close → forcedClosed',
    'breaker.reset → closed',
    'breaker.enable → closed.recovering',
  ]);
});

test('timers: due by the context; of a list the earliest; of a fixed delay from when its state was entered; else not known', (t) => {
  const at = (delay: string, context: View['context'], since: number | null = null) =>
    dueAtMs(timer(delay), view('open', context), since);
  t.is(at('openTime', { openUntilMs: NOW }), NOW);
  t.is(at('openTime', { openUntilMs: null }), null);
  t.is(at('lease', { leasesUntilMs: [NOW + 2, NOW + 1] }), NOW + 1);
  t.is(at('lease', { leasesUntilMs: [] }), null);
  const fixed = machineOf('{"id":"m","initial":"a","states":{"a":{"after":{"1000":"b"}},"b":{}}}').transitions[0];
  if (fixed === undefined) throw new Error('no timer');
  t.is(dueAtMs(fixed, view('a'), NOW), NOW + 1000);
  t.is(dueAtMs(fixed, view('a'), null), null);
  t.is(dueAtMs(machine.root.transitions[0] as typeof fixed, view('a'), NOW), null, 'no timer');
});

test('timers: since when is what the context says of the outermost state', (t) => {
  t.is(sinceMs(view({ closed: 'steady' }, { closedAtMs: 5 })), 5);
  t.is(sinceMs(view('forcedClosed', { closedAtMs: 6 })), 6);
  t.is(sinceMs(view({ halfOpen: 'waiting' }, { closedAtMs: 5, openedAtMs: 7 })), null);
  t.is(sinceMs(view('running')), null);
  t.is(sinceMs(view(null)), null);
});
