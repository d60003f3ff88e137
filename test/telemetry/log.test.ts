import test from 'ava';
import { createLogger } from '../../src/telemetry/log.js';

test('log: a line is JSON with time, level, event and fields', (t) => {
  const lines: string[] = [];
  createLogger('info', { write: (line) => lines.push(line) }).warn({ event: 'circuit_opened', extension_id: 'a' });
  t.is(lines.length, 1);
  const { ts, ...line } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  t.regex(String(ts), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  t.deepEqual(line, { level: 'warn', event: 'circuit_opened', extension_id: 'a' });
});

test('log: what is below the level is not written', (t) => {
  const lines: string[] = [];
  const log = createLogger('warn', { write: (line) => lines.push(line) });
  log.info({ event: 'a' });
  log.error({ event: 'b' });
  t.is(lines.length, 1);
});
