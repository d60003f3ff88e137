// What the log says of a change of its own levels.
import test from 'ava';
import { openLog } from '../../src/daemon/daemon-log.js';
import { logLevelDesk } from '../../src/daemon/management.js';
import { createLogger } from '../../src/telemetry/log.js';
import { LogControl } from '../../src/telemetry/log-control.js';
import type { LogLevel } from '../../src/telemetry/log-levels.js';
import { SimulatedClock } from '../helpers/simulated-clock.js';

test('log_level_set: who silences the log is in it, and who lets it speak again', (t) => {
  const lines: { event: string; to: string; actor: string }[] = [];
  const levels = new LogControl({ level: 'info', components: [] });
  const log = createLogger('info', { write: (line: string) => void lines.push(JSON.parse(line)) }, levels);
  const desk = logLevelDesk(levels, log);
  desk.set({ component: null, level: 'error', seconds: null }, 'ada');
  desk.set({ component: null, level: 'fatal', seconds: null }, 'eve');
  desk.set({ component: null, level: 'debug', seconds: null }, 'bob');
  t.deepEqual(
    lines.map(({ event, to, actor }) => [event, to, actor]),
    [
      ['log_level_set', 'error', 'ada'],
      ['log_level_set', 'debug', 'bob'],
    ],
  );
});

for (const [configured, set] of [
  ['warn', 'debug'],
  ['info', 'error'],
  ['info', 'debug'],
] as const satisfies readonly (readonly [LogLevel, LogLevel])[])
  test(`log_level_reverted: it is in the log that ${set} ended, where the configuration says ${configured}`, (t) => {
    const clock = new SimulatedClock();
    const lines: { event: string; of: string }[] = [];
    const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
    const config = { log_level: configured, log_levels: [] };
    const { log, levels } = openLog(config, destination, { ...clock, wall: clock.now });
    levels.set({ component: null, level: set, seconds: 60 });
    clock.advance(60_000);
    t.deepEqual(
      lines.map(({ event, of }) => [event, of]),
      [['log_level_reverted', 'all']],
    );
    t.is(log.level, configured);
  });
