// When a database that is read counts as degraded: DATABASE-WRITES-1..DATABASE-WRITES-3 of database-writes.ts.
import test from 'ava';
import { pino } from '#pino';
import postgres from '#postgres';
import { DatabaseWrites } from '../../src/daemon/database-writes.js';
import { HeldError } from '../../src/domain/registry/held-error.js';
import { SimulatedClock } from '../helpers/simulated-clock.js';

function world() {
  const clock = new SimulatedClock();
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line).event) });
  const state = { isAway: false };
  const writes = new DatabaseWrites({ clock, log, isAway: () => state.isAway });
  const fail = (kind: string, error: Error) => writes.watch(kind, Promise.reject(error)).catch(() => undefined);
  return { clock, lines, writes, state, fail };
}

const answered = (code: string): Error =>
  Object.assign(Object.create(postgres.PostgresError.prototype), { code, message: `state ${code}` });
const lost = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

for (const code of ['25006', '53100', '53200', '42501', '57P03', 'XX000'])
  test(`DATABASE-WRITES-1: ${code} makes it degraded at once, is told once, and is healed by a write of the kind`, async (t) => {
    const { writes, lines, fail } = world();
    for (let i = 0; i < 3; i++) await fail('health', answered(code));
    await fail('audit', answered(code));
    t.true(writes.isFailing);
    await writes.watch('health', Promise.resolve());
    t.true(writes.isFailing, 'of the other kind nothing was written yet');
    await writes.watch('audit', Promise.resolve());
    t.false(writes.isFailing);
    t.deepEqual(lines, ['database_not_writable', 'database_writable']);
  });

for (const code of ['40001', '40P01', '57014', '22003', '23505', '23514', 'P0001'])
  test(`DATABASE-WRITES-1: ${code} is no outage`, async (t) => {
    const { clock, writes, lines, fail } = world();
    for (let i = 0; i < 10; i++) {
      await fail('health', answered(code));
      clock.advance(1000);
    }
    t.false(writes.isFailing);
    t.deepEqual(lines, []);
  });

test('DATABASE-WRITES-1: a row that is held is no outage; what every change needs is, once it is held for long', async (t) => {
  const { clock, writes, fail } = world();
  const after = async (error: Error) => {
    await fail('auto_change', error);
    clock.advance(1000);
    await fail('auto_change', error);
    return writes.isFailing;
  };
  t.false(await after(new HeldError('extensions', "extensions 'a'")));
  await fail('auto_change', new HeldError('registry_revision', null));
  t.false(writes.isFailing);
  t.true(await after(new HeldError('registry_revision', null)));
});

test('DATABASE-WRITES-2: what failed and is pending no more is healed by a trial that comes later', async (t) => {
  const { clock, writes, fail } = world();
  await fail('verb', answered('25006'));
  await writes.try(() => Promise.resolve());
  t.true(writes.isFailing);
  clock.advance(5000);
  await writes.try(() => Promise.reject(answered('25006')));
  t.true(writes.isFailing);
  await writes.try(() => Promise.resolve());
  t.false(writes.isFailing);
});

test('DATABASE-WRITES-3: connections that are lost count where the feed reads on, and they are lost for long', async (t) => {
  const { clock, writes, state, fail } = world();
  await fail('health', lost());
  clock.advance(3000);
  await fail('health', lost());
  t.false(writes.isFailing);
  clock.advance(3000);
  await fail('health', lost());
  t.true(writes.isFailing);
  await writes.watch('health', Promise.resolve());
  state.isAway = true;
  for (let i = 0; i < 10; i++) {
    await fail('health', lost());
    clock.advance(1000);
  }
  t.false(writes.isFailing);
});
