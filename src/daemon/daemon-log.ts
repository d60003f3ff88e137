// The log of a daemon, and the control of its levels.
import type { Config } from '../config/config.js';
import { createLogger, type Logger } from '../telemetry/log.js';
import { type ConfiguredLevels, LogControl } from '../telemetry/log-control.js';

type LevelSettings = Pick<Config, 'log_level' | 'log_levels'>;

export const logLevelsOf = ({ log_level: level, log_levels: components }: LevelSettings): ConfiguredLevels => ({
  level,
  components,
});

/** Who silences the log is its last line; who lets it speak again, its first. `write`: of a line at level info. */
export function changingLevels(log: Logger, write: () => void, change: () => void): void {
  const isWritten = log.isLevelEnabled('info');
  if (isWritten) write();
  change();
  if (!isWritten) write();
}

export function openLog(
  config: LevelSettings,
  destination: Parameters<typeof createLogger>[1],
  timers?: ConstructorParameters<typeof LogControl>[1],
): { readonly log: Logger; readonly levels: LogControl } {
  const levels = new LogControl(logLevelsOf(config), timers, (component, revert) =>
    changingLevels(log, () => log.info({ event: 'log_level_reverted', of: component ?? 'all' }), revert),
  );
  const log: Logger = createLogger(config.log_level, destination, levels);
  return { log, levels };
}
