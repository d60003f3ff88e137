// LOG-CONTROL-1 and LOG-CONTROL-2 of log-control.ts, and the names of components.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { createLogger } from '../../src/telemetry/log.js';
import { LogControl } from '../../src/telemetry/log-control.js';
import { LOG_COMPONENTS } from '../../src/telemetry/log-levels.js';
import { SimulatedClock } from '../helpers/simulated-clock.js';

function worldOf(components: readonly string[] = []) {
  const clock = new SimulatedClock();
  const reverted: (string | null)[] = [];
  const control = new LogControl({ level: 'info', components }, { ...clock, wall: clock.now }, (component, revert) => {
    reverted.push(component);
    revert();
  });
  const lines: string[] = [];
  const log = createLogger('info', { write: (line) => lines.push(JSON.parse(line).event) }, control);
  /** What is written of a debug and an info line each, of the process and of two components. */
  const written = () => {
    lines.length = 0;
    for (const [name, logger] of [
      ['', log],
      ['db', log.child({ component: 'db' })],
      ['nats', log.child({ component: 'nats' }).child({ server: 1 })],
    ] as const) {
      logger.debug({ event: `${name} debug` });
      logger.info({ event: `${name} info` });
    }
    return lines.join(', ').trim();
  };
  return { clock, control, log, lines, written, reverted };
}

test('LOG-CONTROL-1: what the configuration says of a component holds for its loggers alone', (t) => {
  t.is(worldOf().written(), 'info, db info, nats info');
  t.is(worldOf(['nats=debug', 'daemon=warn']).written(), 'db info, nats debug, nats info');
});

test('LOG-CONTROL-1: a level that is set holds for the loggers that there are, too', (t) => {
  const { control, lines, log } = worldOf();
  const db = log.child({ component: 'db' });
  const detail = db.child({ table: 'x' });
  control.set({ component: 'db', level: 'debug', seconds: null });
  db.debug({ event: 'a' });
  detail.debug({ event: 'b' });
  log.debug({ event: 'c' });
  control.set({ component: null, level: 'error', seconds: null });
  log.warn({ event: 'd' });
  db.debug({ event: 'e' });
  control.set({ component: 'db', level: null, seconds: null });
  db.warn({ event: 'f' });
  control.set({ component: null, level: null, seconds: null });
  db.info({ event: 'g' });
  t.deepEqual(lines, ['a', 'b', 'e', 'g']);
  t.deepEqual(control.read().changed, []);
});

test('LOG-CONTROL-2: a level that is set for a time ends by itself, and setting it again counts from then', (t) => {
  const { clock, control, written, reverted } = worldOf(['db=warn']);
  control.set({ component: 'db', level: 'debug', seconds: 60 });
  t.is(written(), 'info, db debug, db info, nats info');
  t.deepEqual(control.read().changed, [{ component: 'db', until: '1970-01-01T00:01:00.000Z' }]);
  clock.advance(59_000);
  control.set({ component: 'db', level: 'debug', seconds: 60 });
  clock.advance(59_999);
  t.is(written(), 'info, db debug, db info, nats info');
  clock.advance(1);
  t.is(written(), 'info, nats info');
  t.deepEqual(reverted, ['db']);
  t.is(clock.armed, 0);
});

test('LOG-CONTROL-2: only a level that ends by itself is said to have ended', (t) => {
  const { clock, control, reverted } = worldOf();
  control.set({ component: null, level: 'debug', seconds: 60 });
  control.set({ component: null, level: null, seconds: null });
  control.set({ component: 'db', level: 'debug', seconds: null });
  clock.advance(120_000);
  t.deepEqual(reverted, []);
});

test('what the configuration says later holds, but for what was set meanwhile', (t) => {
  const { control, written } = worldOf(['db=warn']);
  control.set({ component: 'nats', level: 'debug', seconds: null });
  control.configure({ level: 'error', components: ['db=info', 'nats=error'] });
  t.is(written(), 'db info, nats debug, nats info');
  t.like(control.read(), { level: 'error', changed: [{ component: 'nats', until: null }] });
});

test('the components are those that lines of the sources name', (t) => {
  const root = fileURLToPath(new URL('../../../src', import.meta.url));
  const named = new Set(['daemon']);
  for (const path of readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')))
    for (const [, name = ''] of readFileSync(join(root, path), 'utf8').matchAll(
      /(?:child\(\{ component: |#logOf\()'([a-z_]+)'/g,
    ))
      named.add(name);
  t.deepEqual([...named].sort(), [...LOG_COMPONENTS].sort());
});
