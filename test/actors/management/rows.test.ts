// Lists of rows: ROWS-5 of rows.ts, and what a list costs where every row is refused.
import test from 'ava';
import { Rows } from '../../../src/actors/management/rows.js';
import type { Refusal } from '../../../src/domain/registry/refused-row.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { ActorWorld } from '../../helpers/actor-world.js';
import { extensionRow, instanceRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';

test('ROWS-5: a list of refused rows reads refusals once, and shows of each the row in force', async (t) => {
  const world = new ActorWorld();
  const names = Array.from({ length: 300 }, (_, i) => `i${String(i).padStart(3, '0')}`);
  const instances = names.map((name) => instanceRow('a', name, { version: 'v1' }));
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances })));
  let readings = 0;
  function* refusedRows(): Generator<Refusal> {
    readings++;
    for (const instanceId of [...names, 'new'])
      yield {
        extensionId: 'a',
        instanceId,
        since: '2026-01-01T00:00:00.000Z',
        problems: [`no ${instanceId}`],
      } as never;
  }
  const stored = [...names, 'new'].map((name) => ({
    ...{ kind: 'instance' as const, extensionId: 'a', name },
    ...{ fields: { weight: 7 }, revision: 9 },
  }));
  const rows = new Rows({
    read: async () => ({ rows: stored, own: {} }),
    registry: { runtimes: world.core.supervisor.runtimes, refusedRows },
    clock: world.clock,
    log: silentLogger,
  } as unknown as ConstructorParameters<typeof Rows>[0]);
  const answer = await rows.list('a', 'instance');
  if (answer.kind !== 'rows') throw new Error(answer.kind);
  const shown = [...answer.rows];
  t.is(shown.length, 301);
  for (const row of shown) t.like(row, { in_force: false, refused: { problems: [`no ${row.id}`] } });
  t.like(shown[5], { id: 'i005', weight: 7, row_in_force: { weight: 100, version: 'v1' } });
  t.like(shown.at(-1), { id: 'new', row_in_force: null });
  t.is(readings, 1);
});
