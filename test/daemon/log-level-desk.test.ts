// What the log says of a change of its own levels.
import test from 'ava';
import { logLevelDesk } from '../../src/daemon/management.js';
import { createLogger } from '../../src/telemetry/log.js';
import { LogControl } from '../../src/telemetry/log-control.js';

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
