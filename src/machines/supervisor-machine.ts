// The life of the daemon's supervisor as a statechart: what it is at, for the inspector. It decides nothing; the supervisor reports to it.
//
// SUPERVISOR-MACHINE-1. The extensions below it are counted, never listed: each frame would grow with the registry.
import { assign, setup } from 'xstate';

interface SupervisorContext {
  /** Extensions that run. */
  readonly children: number;
  /** Of the registry in force; null before the first snapshot. */
  readonly revision: number | null;
  /** When it was applied, monotonic ms. */
  readonly appliedAtMs: number | null;
  /** Actors of targets that failed and were started again, since the start. */
  readonly failures: number;
}

export type SupervisorEvent =
  | { type: 'registry.applied'; revision: number; children: number; nowMs: number }
  /** `target`: `<extension>@<version>`, whose actor ended in an error. */
  | { type: 'child.failed'; target: string; nowMs: number }
  | { type: 'daemon.draining'; nowMs: number }
  | { type: 'daemon.stopped'; nowMs: number };

export const supervisorMachine = setup({
  types: { context: {} as SupervisorContext, events: {} as SupervisorEvent },
  actions: {
    noteRegistry: assign(({ event }) =>
      event.type === 'registry.applied'
        ? { revision: event.revision, children: event.children, appliedAtMs: event.nowMs }
        : {},
    ),
    countFailure: assign({ failures: ({ context }) => context.failures + 1 }),
    forgetChildren: assign({ children: 0 }),
  },
}).createMachine({
  id: 'supervisor',
  version: '1',
  context: { children: 0, revision: null, appliedAtMs: null, failures: 0 },
  initial: 'starting',
  states: {
    /** No registry was read yet: every call is refused. */
    starting: {
      on: { 'registry.applied': { target: 'running', actions: 'noteRegistry' } },
    },
    running: {},
    /** No further calls are accepted; those in flight are finished. */
    draining: {},
    stopped: { type: 'final', entry: 'forgetChildren' },
  },
  on: {
    'registry.applied': { actions: 'noteRegistry' },
    'child.failed': { actions: 'countFailure' },
    'daemon.draining': { target: '.draining' },
    'daemon.stopped': { target: '.stopped' },
  },
});
