// The log of a daemon, and the control of its levels.
import type { Config } from '../config/config.js';
import { createLogger, type Logger } from '../telemetry/log.js';
import { type ConfiguredLevels, LogControl } from '../telemetry/log-control.js';

export const logLevelsOf = ({ log_level: level, log_levels: components }: Config): ConfiguredLevels => ({
  level,
  components,
});

export function openLog(
  config: Config,
  destination: Parameters<typeof createLogger>[1],
): { readonly log: Logger; readonly levels: LogControl } {
  const levels = new LogControl(logLevelsOf(config), undefined, (component) =>
    log.info({ event: 'log_level_reverted', of: component ?? 'all' }),
  );
  const log: Logger = createLogger(config.log_level, destination, levels);
  return { log, levels };
}
