// JSON lines, one event name per fact, ids as fields: `log.warn({ event: 'circuit_opened', extension_id, reason })`.
import { type DestinationStream, type Logger, pino } from '#pino';
import type { LogControl } from './log-control.js';
import type { LogLevel } from './log-levels.js';

export type { Logger };

/** `control`: decides about the levels from then on. */
export function createLogger(level: LogLevel, destination: DestinationStream, control?: LogControl): Logger {
  const log = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      ...(control === undefined ? {} : { onChild: control.attach }),
    },
    destination,
  );
  control?.attach(log);
  return log;
}

/** For tests and one-shot commands. */
export const silentLogger: Logger = pino({ level: 'silent' });
