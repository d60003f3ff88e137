// What operators write into health_status: it counts in both directions, and nobody overwrites it unseen.
import test from 'ava';
import type { InstanceRow } from '../../../src/domain/registry/registry-rows.js';
import { settle } from '../../helpers/actor-world.js';
import { changesOf, extensionRow, instanceRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';
import { FAILS, okShare, Traffic, WORKS } from '../../helpers/traffic.js';

type Rows = Readonly<Record<string, Partial<InstanceRow>>>;

const SHARED: Rows = { i1: { subject: 'ext.a.shared' }, i2: { subject: 'ext.a.shared' }, i3: {} };

/** A registry of one extension, whose rows change as a database changes them: each report has an id, each daemon's write none. */
class Registry extends Traffic {
  readonly #rows = new Map<string, InstanceRow>();
  #revision = 1;

  constructor(rows: Rows, extension: Parameters<typeof extensionRow>[1] = {}) {
    super();
    for (const [id, row] of Object.entries(rows))
      this.#rows.set(id, instanceRow('a', id, { health_report: null, ...row }));
    this.extension = extension;
    this.feed$.next(snapshotOf(1, this.entry()));
  }
  extension: Parameters<typeof extensionRow>[1];

  entry() {
    return registryEntry(extensionRow('a', this.extension), { instances: [...this.#rows.values()] });
  }

  /** An operator's statement; null: the row is deleted. */
  change(rows: Readonly<Record<string, Partial<InstanceRow> | null>>): void {
    this.takeWritten();
    this.#revision++;
    for (const [id, row] of Object.entries(rows)) {
      const before = this.#rows.get(id) ?? instanceRow('a', id, { health_report: null });
      const isReport = row?.health_status !== undefined && row.health_status !== before.health_status;
      const report = isReport ? { health_report: `report-${this.#revision}` } : {};
      if (row === null) this.#rows.delete(id);
      else this.#rows.set(id, { ...before, ...row, ...report, revision: this.#revision });
    }
    this.feed$.next(changesOf(this.#revision, [this.entry()]));
  }

  /** What daemons wrote, as the database takes it. */
  takeWritten(): void {
    for (const { instance_id, health_status, seen_report } of this.instanceStatuses.splice(0)) {
      const row = this.#rows.get(instance_id);
      if (row === undefined || (row.health_report !== null && row.health_report !== seen_report)) continue;
      const health_report = row.health_status === health_status ? (row.health_report ?? null) : null;
      this.#rows.set(instance_id, { ...row, health_status, health_report });
    }
  }

  /** Row and API, which must be the same. */
  async statuses(): Promise<Record<string, unknown>> {
    await this.pass(2000);
    this.takeWritten();
    const api = Object.fromEntries(
      (this.core.view.one('a')?.instances ?? []).map((instance) => [instance.id, instance.health_status]),
    );
    const rows = Object.fromEntries([...this.#rows].map(([id, row]) => [id, row.health_status]));
    if (JSON.stringify(api) !== JSON.stringify(rows))
      throw new Error(`API ${JSON.stringify(api)}, rows ${JSON.stringify(rows)}`);
    return api;
  }

  /** Which instances get the next calls, and how many. */
  async turns(calls: number): Promise<Record<string, number>> {
    const before = this.sent.length;
    await this.come('a', 1, calls);
    const counts: Record<string, number> = {};
    for (const { route } of this.sent.slice(before)) {
      const id = route.spec.instanceId ?? '';
      counts[id] = (counts[id] ?? 0) + 1;
    }
    return counts;
  }

  told(): string[] {
    return this.events.splice(0).map(({ event, instance_id, reason }) => `${event} ${instance_id} ${reason}`);
  }
}

test('INSTANCE-REPORTS-1, OUTLIER-DETECTOR-6: of instances that share a subject the one that is reported gets no turns, for as long as the report stands', async (t) => {
  const world = new Registry(SHARED);
  t.deepEqual(await world.turns(30), { i1: 10, i2: 10, i3: 10 });
  world.change({ i1: { health_status: 'unhealthy' } });
  t.deepEqual(world.told(), ['instance_ejected i1 reported_unhealthy']);
  t.deepEqual(await world.turns(30), { i2: 15, i3: 15 });
  t.deepEqual(await world.statuses(), { i1: 'unhealthy', i2: 'healthy', i3: 'healthy' });
  // Longer than any ejection, with calls to its subject that succeed.
  await world.come('a', 400, 5);
  t.deepEqual(await world.statuses(), { i1: 'unhealthy', i2: 'healthy', i3: 'healthy' });
  t.deepEqual(await world.turns(30), { i2: 15, i3: 15 });
  world.change({ i1: { health_status: 'healthy' } });
  t.deepEqual(world.told(), ['instance_returned i1 reported_healthy']);
  t.deepEqual(await world.turns(30), { i1: 10, i2: 10, i3: 10 });
  t.deepEqual(await world.statuses(), { i1: 'healthy', i2: 'healthy', i3: 'healthy' });
});

for (const status of ['unknown', 'degraded', null] as const)
  test(`INSTANCE-REPORTS-2: ${status} takes a report back, of an instance with a subject of its own and of one that shares it`, async (t) => {
    const world = new Registry(SHARED);
    world.change({ i1: { health_status: 'unhealthy' }, i3: { health_status: 'unhealthy' } });
    t.deepEqual(await world.turns(10), { i2: 10 });
    world.told();
    world.change({ i1: { health_status: status }, i3: { health_status: status } });
    t.deepEqual(world.told(), ['instance_returned i1 report_withdrawn', 'instance_returned i3 report_withdrawn']);
    t.deepEqual(await world.turns(30), { i1: 10, i2: 10, i3: 10 });
    t.deepEqual(await world.statuses(), { i1: 'healthy', i2: 'healthy', i3: 'healthy' });
  });

test('INSTANCE-REPORTS-2: healthy brings back what was ejected for what it did; anything else does not', async (t) => {
  const world = new Registry({ i1: {}, i2: {} });
  world.behaviour.set('ext.a.i1', FAILS);
  await world.come('a', 2, 20);
  t.deepEqual(await world.statuses(), { i1: 'unhealthy', i2: 'healthy' });
  world.told();
  world.behaviour.set('ext.a.i1', WORKS);
  world.change({ i1: { health_status: 'degraded' } });
  t.deepEqual(await world.turns(10), { i2: 10 });
  t.deepEqual(await world.statuses(), { i1: 'unhealthy', i2: 'healthy' });
  world.change({ i1: { health_status: 'healthy' } });
  t.deepEqual(world.told(), ['instance_returned i1 reported_healthy']);
  t.deepEqual(await world.turns(10), { i1: 5, i2: 5 });
});

test('INSTANCE-REPORTS-2: what is brought back and still fails is ejected again, after failures of its own', async (t) => {
  const world = new Registry({ i1: {}, i2: {} });
  world.behaviour.set('ext.a.i1', FAILS);
  await world.come('a', 2, 20);
  await world.statuses();
  world.told();
  world.change({ i1: { health_status: 'healthy' } });
  const before = world.sentTo('ext.a.i1');
  await world.come('a', 2, 20);
  t.is(world.sentTo('ext.a.i1') - before, 3);
  t.deepEqual(world.told(), ['instance_returned i1 reported_healthy', 'instance_ejected i1 failures_in_a_row']);
  t.deepEqual(await world.statuses(), { i1: 'unhealthy', i2: 'healthy' });
});

test('INSTANCE-REPORTS-1: where all that share a subject are reported, their endpoint is out and is tried; the last report ends with that', async (t) => {
  const world = new Registry({ ...SHARED, i4: {} });
  await world.come('a', 1, 20);
  world.change({ i1: { health_status: 'unhealthy' } });
  world.change({ i2: { health_status: 'unhealthy' } });
  t.deepEqual(await world.turns(10), { i3: 5, i4: 5 });
  t.deepEqual(await world.statuses(), { i1: 'unhealthy', i2: 'unhealthy', i3: 'healthy', i4: 'healthy' });
  await world.come('a', 31, 10);
  t.deepEqual(await world.statuses(), { i1: 'unhealthy', i2: 'healthy', i3: 'healthy', i4: 'healthy' });
});

test('INSTANCE-REPORTS-1: where nobody is left beside one that is withheld, it is tried like one with a subject of its own', async (t) => {
  for (const gone of [null, { weight: 0 }, { enabled: false }, { subject: 'ext.a.moved' }]) {
    const world = new Registry(SHARED);
    world.change({ i1: { health_status: 'unhealthy' } });
    world.change({ i2: gone });
    await world.come('a', 31, 10);
    t.true(((await world.turns(30)).i1 ?? 0) >= 10, JSON.stringify(gone));
    t.is((await world.statuses()).i1, 'healthy', JSON.stringify(gone));
  }
});

test('INSTANCE-REPORTS-1: a report that would leave too few is refused, which is told, and the row says what is measured', async (t) => {
  const world = new Registry({ i1: {}, i2: {}, i3: {} });
  await world.come('a', 1, 30);
  world.change({ i1: { health_status: 'unhealthy' } });
  world.told();
  world.change({ i2: { health_status: 'unhealthy' } });
  t.like(world.events, [{ event: 'registry_row_rejected', instance_id: 'i2', revision: 3, actor: 'system:registry' }]);
  t.regex(world.told()[0] ?? '', /health_status must leave at least half of a version's instances in rotation/);
  t.deepEqual(await world.statuses(), { i1: 'unhealthy', i2: 'healthy', i3: 'healthy' });
  t.deepEqual(await world.turns(10), { i2: 5, i3: 5 });
  const { audits } = world;
  t.true(audits.some(({ action }) => action === 'registry_row_rejected'));
});

test('INSTANCE-REPORTS-1: the report of the last that shares the only subject is refused, too', async (t) => {
  const world = new Registry({ i1: { subject: 's' }, i2: { subject: 's' } });
  await world.come('a', 1, 10);
  world.change({ i1: { health_status: 'unhealthy' } });
  world.change({ i2: { health_status: 'unhealthy' } });
  t.is(world.told().at(-1)?.split(' ').slice(0, 2).join(' '), 'registry_row_rejected i2');
  t.deepEqual(await world.turns(10), { i2: 10 });
  t.deepEqual(await world.statuses(), { i1: 'unhealthy', i2: 'healthy' });
});

test('INSTANCE-REPORTS-1: one that takes no calls may be reported, whatever the others are', async (t) => {
  const world = new Registry({ i1: { weight: 0 }, i2: {} });
  world.change({ i1: { health_status: 'unhealthy' } });
  t.deepEqual(world.told(), ['instance_ejected i1 reported_unhealthy']);
  await world.come('a', 1, 10);
  t.deepEqual(await world.statuses(), { i1: 'unhealthy', i2: 'healthy' });
});

test('INSTANCE-STATUS-3: a report that arrives while a status is on its way to the row is not written over', async (t) => {
  const world = new Registry({ i1: {}, i2: {} });
  let written = (): void => undefined;
  world.onInstanceStatuses = () => new Promise<undefined>((resolve) => (written = () => resolve(undefined)));
  await world.come('a', 2, 10);
  world.change({ i1: { health_status: 'unhealthy' } });
  written();
  await settle();
  t.deepEqual(await world.turns(10), { i2: 10 });
  world.onInstanceStatuses = async () => undefined;
  t.deepEqual(await world.statuses(), { i1: 'unhealthy', i2: 'healthy' });
  await world.come('a', 31, 10);
  t.deepEqual(await world.statuses(), { i1: 'healthy', i2: 'healthy' });
});

test('INSTANCE-STATUS-1: a report is taken once, and a change of something else is none', async (t) => {
  const world = new Registry({ i1: {}, i2: {} });
  world.change({ i1: { health_status: 'unhealthy' } });
  await world.come('a', 31, 10);
  t.is((await world.statuses()).i1, 'healthy');
  world.told();
  world.change({ i1: { weight: 50 } });
  world.feed$.next(snapshotOf(9, world.entry()));
  t.deepEqual(world.told(), []);
  // Another report of the same is one.
  world.change({ i1: { health_status: 'unhealthy' } });
  t.deepEqual(world.told(), ['instance_ejected i1 reported_unhealthy']);
});

test('INSTANCE-STATUS-1: after a restart a report on one that shares its subject stands, what a daemon had measured is tried', async (t) => {
  const reported = new Registry({
    ...SHARED,
    i1: { subject: 'ext.a.shared', health_status: 'unhealthy', health_report: 'x' },
  });
  t.deepEqual(await reported.turns(10), { i2: 5, i3: 5 });
  t.is((await reported.statuses()).i1, 'unhealthy');
  const measured = new Registry({
    ...SHARED,
    i1: { subject: 'ext.a.shared', health_status: 'unhealthy', health_report: null },
  });
  t.deepEqual(await measured.turns(10), { i3: 10 });
  await measured.come('a', 31, 10);
  t.deepEqual(await measured.statuses(), { i1: 'healthy', i2: 'healthy', i3: 'healthy' });
});

test('OUTLIER-DETECTOR-6: where every instance of a version is out, those withheld are used like the others (panic)', async (t) => {
  const world = new Registry({ i1: { subject: 's' }, i2: { subject: 's', weight: 0 }, i3: { subject: 's' } });
  world.change({ i1: { health_status: 'unhealthy' } });
  world.change({ i3: { enabled: false } });
  t.is(okShare(await world.come('a', 1, 10)), 1);
});

test('OUTLIER-DETECTOR-6: a reset takes the report back, and the row says so', async (t) => {
  const world = new Registry(SHARED);
  world.change({ i1: { health_status: 'unhealthy' } });
  world.told();
  world.core.supervisor.runtimes.get('a')?.defaultService?.target.send({
    type: 'breaker.reset',
    nowMs: world.clock.now(),
  });
  t.deepEqual(world.told(), ['instance_returned i1 reset']);
  t.deepEqual(await world.statuses(), { i1: 'unknown', i2: 'unknown', i3: 'unknown' });
  t.deepEqual(await world.turns(30), { i1: 10, i2: 10, i3: 10 });
});
