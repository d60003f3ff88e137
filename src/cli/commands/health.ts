// `extreg health [id]`: what GET /admin/extensions/health says, as a table.

import { Command } from '#commander';
import type { ExtensionHealth, HealthReport } from '../../domain/health/health-schema.js';
import { DaemonClient } from '../daemon/daemon-client.js';
import type { CommandFactory } from '../options/command-definition.js';
import {
  addWatchOption,
  type DaemonOptions,
  type OutputOptions,
  type WatchOptions,
} from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { json, jsonLine } from '../output/output.js';
import { styleOf } from '../output/style.js';
import { wrongUsage } from '../process/command-error.js';
import { printed } from '../process/repeat.js';

interface HealthOptions extends OutputOptions, WatchOptions, DaemonOptions {
  readonly unhealthy?: true;
}

export const healthCommand: CommandFactory = (io) => ({
  command: addExamples(
    addWatchOption(
      new Command('health')
        .argument('[id]', 'extension')
        .option('--unhealthy', 'only extensions that are disabled or whose breaker is not closed')
        .option('--json', 'print JSON'),
    ),
    'extreg health --unhealthy',
    'extreg health pii_guard --watch=5',
  ),
  settings: 'http',
  action: async (id: string | undefined, options: HealthOptions) => {
    if (id !== undefined && options.unhealthy) throw wrongUsage('--unhealthy: has a meaning only without an extension');
    const daemon = await DaemonClient.of(io, options);
    const all = options.unhealthy ? 'health?unhealthy=true' : 'health';
    const path = id === undefined ? all : `${encodeURIComponent(id)}/health`;
    return printed(io, options.watch, async () => {
      const body = await daemon.json<object>(`/admin/extensions/${path}`);
      if (options.json) return { text: (options.watch === undefined ? json : jsonLine)(body) };
      const { oneText, reportText } = await import('../output/health-text.js');
      const style = styleOf(io, options);
      return {
        text: id === undefined ? reportText(body as HealthReport, style) : oneText(body as ExtensionHealth, style),
      };
    });
  },
});
