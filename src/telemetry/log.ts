// JSON lines, one event name per fact, ids as fields: `log.warn({ event: 'circuit_opened', extension_id, reason })`.
import { type DestinationStream, type Logger, pino } from '#pino';
import type { LogLevel } from './log-levels.js';

export type { Logger };

export function createLogger(level: LogLevel, destination: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}

/** For tests and one-shot commands. */
export const silentLogger: Logger = pino({ level: 'silent' });
