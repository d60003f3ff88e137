import test from 'ava';
import { readinessOf } from '../../src/daemon/readiness.js';
import type { ScopeReason } from '../../src/domain/fleet/fleet-answer.js';

type Sources = Parameters<typeof readinessOf>[0];

/** All is well but for what is given. */
const sources = (fleet: 'auto' | 'off' | 'required', peers: number, reason: ScopeReason, isDraining = false): Sources =>
  ({
    config: { fleet },
    fleet: { peers, reason },
    system: { supervisor: { revision: 1 } },
    wire: { connection: { connected: true }, requester: { listening: true } },
    services: { intake: { listening: true }, selfCheck: { problem: null } },
    database: { degraded: () => [] },
    isDraining: () => isDraining,
  }) as unknown as Sources;

const READY = { ready: true, waiting_for: [], reasons: [], degraded: [] };

test('readiness: one that is alone is ready, unless a fleet is required', (t) => {
  t.deepEqual(readinessOf(sources('auto', 0, 'no_peer')), READY);
  t.deepEqual(readinessOf(sources('off', 0, 'off')), READY);
  t.deepEqual(readinessOf(sources('required', 1, 'no_records')), READY);
  t.deepEqual(readinessOf(sources('required', 0, 'no_peer')), {
    ready: false,
    waiting_for: ['fleet'],
    reasons: ['no other replica is heard (no_peer)'],
    degraded: [],
  });
  t.deepEqual(readinessOf(sources('required', 0, 'not_permitted', true)).waiting_for, ['fleet', 'draining']);
});
