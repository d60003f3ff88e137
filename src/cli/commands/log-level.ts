// `extreg log-level`: which lines the daemon logs, shown or set while it runs.

import { Argument, Command, Option } from '#commander';
import type { LogLevelsShown } from '../../domain/status-schema.js';
import { LOG_COMPONENTS, LOG_LEVELS } from '../../telemetry/log-levels.js';
import { DaemonClient } from '../daemon/daemon-client.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { DaemonOptions, OutputOptions } from '../options/common-options.js';
import { durationOf } from '../options/durations.js';
import { addExamples } from '../options/examples.js';
import { json, textTable } from '../output/output.js';
import { type Style, styleOf } from '../output/style.js';
import { wrongUsage } from '../process/command-error.js';

interface LogLevelOptions extends OutputOptions, DaemonOptions {
  readonly component?: string;
  readonly for?: string;
}

const PATH = '/admin/log-levels';
/** A day, as the daemon takes it. */
const MAX_SECONDS = 86_400;
/** Ends what was set. */
const CONFIGURED = 'configured';

export const logLevelCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('log-level')
      .addArgument(
        new Argument('[level]', 'lowest level that is logged; configured: what the configuration says').choices([
          ...LOG_LEVELS,
          CONFIGURED,
        ]),
      )
      .addOption(
        new Option('--component <component>', 'of this component (default: all without a level of their own)').choices(
          LOG_COMPONENTS,
        ),
      )
      .option('--for <duration>', 'then what the configuration says is in force again, such as 10m')
      .option('--json', 'print JSON'),
    'extreg log-level',
    'extreg log-level debug --component router --for 10m',
    'extreg log-level configured --component router',
  ),
  settings: 'http',
  action: async (level: string | undefined, options: LogLevelOptions) => {
    const order = level === undefined ? null : orderOf(level, options);
    if (order === null && (options.component !== undefined || options.for !== undefined))
      throw wrongUsage(`log-level: --component and --for need a level: ${LOG_LEVELS.join(', ')}`);
    const daemon = await DaemonClient.of(io, options);
    const levels =
      order === null
        ? await daemon.json<LogLevelsShown>(PATH)
        : (JSON.parse(
            (await daemon.request(PATH, { method: 'PUT', text: JSON.stringify({ ...order, ...daemon.by(io) }) })).text,
          ) as LogLevelsShown);
    if (options.json) io.stdout.write(json(levels));
    else if (!options.quiet) io.stdout.write(levelsText(levels, styleOf(io, options)));
  },
});

function orderOf(level: string, { component, for: duration }: LogLevelOptions): object {
  if (level === CONFIGURED && duration !== undefined)
    throw wrongUsage('log-level: --for needs a level that ends; configured is what it ends with');
  return {
    level: level === CONFIGURED ? null : level,
    ...(component === undefined ? {} : { component }),
    ...(duration === undefined ? {} : { for_seconds: secondsOf(duration) }),
  };
}

function secondsOf(duration: string): number {
  const expected = 'a duration of at most 24h, such as 10m';
  const seconds = Math.max(1, Math.round(durationOf('--for', duration, expected) / 1000));
  if (seconds > MAX_SECONDS) throw wrongUsage(`--for: expected ${expected}, got '${duration}'`);
  return seconds;
}

function levelsText({ level, components, changed }: LogLevelsShown, style: Style): string {
  const untilOf = (of: string | null): string => {
    const change = changed.find(({ component }) => component === of);
    return change === undefined ? '-' : (change.until ?? 'changed again');
  };
  const rows = components.map(({ component, level, from }) => [
    component,
    level,
    from === 'component' ? untilOf(component) : '-',
  ]);
  return textTable(['COMPONENT', 'LEVEL', 'UNTIL'], [['all', level, untilOf(null)], ...rows], style);
}
