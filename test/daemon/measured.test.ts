// What is measured of the rows of an extension, one by one.
import test from 'ava';
import { measuredOf } from '../../src/daemon/measured.js';
import { ActorWorld } from '../helpers/actor-world.js';
import { extensionRow, instanceRow, registryEntry, snapshotOf, versionRow } from '../helpers/registry-rows.js';

test('it is as the health of the extension says, without reading that', (t) => {
  const world = new ActorWorld();
  const versions = [versionRow('a', 'v2', { enabled: false })];
  const instances = ['i1', 'i2'].map((id) => instanceRow('a', id, { version: 'v1' }));
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { versions, instances })));
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  const health = world.core.view.one('a');
  const { view, supervisor } = world.core;
  const measured = measuredOf({ view, supervisor }, 'a');
  t.is(health?.versions.length, 2);
  t.is(health?.versions[0]?.circuit_breaker_state, 'open');
  for (const { version, circuit_breaker_state } of health?.versions ?? [])
    t.deepEqual(measured?.version(version), { circuit_breaker_state });
  t.is(health?.instances.length, 2);
  for (const { id, health_status } of health?.instances ?? [])
    t.deepEqual(measured?.instance(id), { health_status, in_flight: 0 });
  t.is(measured?.version('v9'), null);
  t.is(measured?.instance('i9'), null);
  t.is(measuredOf({ view, supervisor }, 'b'), null);
});
