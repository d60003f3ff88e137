// What an operator's statement means while no daemon runs, and how the trail names it (RESTORED-STATE-2 of restored-state.ts, M25).
import { randomUUID } from 'node:crypto';
import anyTest, { type TestFn } from 'ava';
import type { HealthFlushRow } from '../../../src/actors/ports/storage.js';
import type { Database } from '../../../src/db/client.js';
import { readAudit } from '../../../src/db/queries/audit-queries.js';
import { applyAutoChange } from '../../../src/db/queries/auto-queries.js';
import { flushHealth } from '../../../src/db/queries/health-queries.js';
import { readSnapshot } from '../../../src/db/queries/registry-queries.js';
import { emptyStaleWindows } from '../../../src/db/queries/stale-windows.js';
import { ActorWorld } from '../../helpers/actor-world.js';
import { healthRow } from '../../helpers/health-rows.js';
import { onBothEngines } from '../../helpers/postgres.js';

const test = anyTest as TestFn;
const onBoth = onBothEngines(test);

const RESET = "breaker_override = null, breaker_resets = breaker_resets + 1 where id = 'a'";

/** An extension with a second version, whose two breakers a daemon has written like that before it ended. */
async function left(db: Database, facts: Partial<HealthFlushRow>): Promise<void> {
  await db.$client.unsafe(`
    insert into extensions (id, type, subject) values ('a', 'pre', 'x');
    insert into extension_versions (id, version, subject) values ('a', 'v2', 'x');
    insert into extension_versions (id, version, subject, routing_rules) values ('a', 'v1', 'x', '{"tenant_id": "t"}')`);
  const both = [healthRow({ ...facts, version: 'v2' }), healthRow({ ...facts, version: 'v1', published: false })];
  await flushHealth(db, { writer: randomUUID(), number: 1 }, both);
}

/** The breaker of each version in a daemon that starts now. */
async function begun(db: Database) {
  const world = new ActorWorld({ autoDisableOnCircuitOpen: false });
  world.feed$.next({ kind: 'snapshot', ...(await readSnapshot(db)) });
  const versions = world.core.view.one('a')?.versions ?? [];
  return Object.fromEntries(versions.map((v) => [v.version, `${v.circuit_breaker_state} ${v.circuit_breaker_trips}`]));
}

const OPEN = { circuit_breaker_state: 'open', open_remaining_ms: 50_000, trips: 2, epoch: 7 } as const;
const LEFT: [title: string, facts: Partial<HealthFlushRow>][] = [
  ['was open', { ...OPEN, opened_ago_ms: 10_000 }],
  ['was open since nobody knows when', { ...OPEN, opened_ago_ms: null }],
  ['was half-open', { circuit_breaker_state: 'half_open', opened_ago_ms: null, trips: 2, epoch: 8 }],
  [
    'was closed after it had opened twice',
    { circuit_breaker_state: 'closed', opened_ago_ms: null, trips: 2, epoch: 9 },
  ],
];

for (const [title, facts] of LEFT) {
  const state = `${facts.circuit_breaker_state} 2`;
  onBoth(
    `RESTORED-STATE-2: a reset by SQL without a daemon counts when one starts: what ${title}`,
    async (t, database) => {
      const db = database.open();
      await left(db, facts);
      t.deepEqual(await begun(db), { v1: state, v2: state });
      await db.$client.unsafe(`update extension_versions set ${RESET} and version = 'v1'`);
      t.deepEqual(await begun(db), { v1: 'closed 0', v2: state });
      await db.$client.unsafe(`update extensions set ${RESET}`);
      t.deepEqual(await begun(db), { v1: 'closed 0', v2: 'closed 0' });
    },
  );
}

onBoth(
  'RESTORED-STATE-2: a reset that a daemon has taken over says nothing about what it wrote later',
  async (t, database) => {
    const db = database.open();
    await left(db, { circuit_breaker_state: 'closed', opened_ago_ms: null, trips: 0, epoch: 1 });
    await db.$client.unsafe(`update extensions set ${RESET}`);
    const later = healthRow({ ...OPEN, opened_ago_ms: 0, version: 'v2' });
    await flushHealth(db, { writer: randomUUID(), number: 1 }, [later]);
    t.is((await begun(db)).v2, 'open 2');
  },
);

onBoth(
  "M25: an operator's `enabled = false` on what was disabled automatically is a disable in the trail",
  async (t, database) => {
    const db = database.open();
    const change = { extension_id: 'a', change: 'auto_disable', revision: 1, reason: 'circuit' } as const;
    for (const [statement, action] of [
      ['enabled = false', 'disable'],
      ["enabled = false, timeout_ms = 7, breaker_override = 'isolated'", 'disable'],
      ['enabled = true', 'enable'],
      ['timeout_ms = 8', 'update'],
      ['enabled = false, breaker_resets = breaker_resets + 1', 'reset'],
    ]) {
      await db.$client`delete from extensions`;
      await db.$client`insert into extensions (id, type, subject) values ('a', 'pre', 'x')`;
      await applyAutoChange(db, { ...change, id: randomUUID() });
      await db.$client.unsafe(`update extensions set ${statement}`);
      const [last] = await readAudit(db, { extensionId: 'a', limit: 1 });
      t.is(last?.action, action, statement);
    }
    await db.$client`update extensions set enabled = false`;
    const trail = await readAudit(db, { extensionId: 'a', limit: 100 });
    await db.$client`update extensions set enabled = false`;
    t.is(
      (await readAudit(db, { extensionId: 'a', limit: 100 })).length,
      trail.length,
      'an operator had disabled it: nothing changes',
    );
  },
);

onBoth(
  'REGISTRY-FEED-4: a window that is over is emptied, also where its daemon is gone; one that is written is left alone',
  async (t, database) => {
    const db = database.open();
    await left(db, {});
    await db.$client`insert into extensions (id, type, subject) values ('b', 'pre', 'x')`;
    await flushHealth(db, { writer: randomUUID(), number: 1 }, [healthRow({ extension_id: 'b' })]);
    t.is(await emptyStaleWindows(db), 0);
    for (const table of ['extension_health', 'extension_version_health'])
      await db.$client.unsafe(`update ${table} set updated_at = now() - interval '6 minutes' where extension_id = 'a'`);
    t.is(await emptyStaleWindows(db), 2);
    t.is(await emptyStaleWindows(db), 0);
    const rows = await db.$client`
    select extension_id, success_count::int as successes, latency_samples::int as samples, p95_latency_ms as p95, avg_latency_ms as avg,
      latency_samples_window_start is null as is_over
    from extension_health order by 1`;
    t.deepEqual(
      rows.map((row) => ({ ...row })),
      [
        { extension_id: 'a', successes: 10, samples: 0, p95: null, avg: null, is_over: true },
        { extension_id: 'b', successes: 10, samples: 12, p95: '20.25', avg: '11.50', is_over: false },
      ],
    );
  },
);
