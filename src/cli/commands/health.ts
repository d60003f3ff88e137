// `extreg health [id]`: what GET /admin/extensions/health says, as a table.
import { Command } from '#commander';
import type { ExtensionHealth, HealthReport } from '../../domain/health/health-schema.js';
import { adminJson } from '../daemon/admin-request.js';
import { adminUrl } from '../daemon/admin-url.js';
import type { CommandFactory } from '../options/command-definition.js';
import { json } from '../output/output.js';
import { CommandError, EXIT } from '../process/command-error.js';

interface HealthOptions {
  readonly json?: true;
  readonly unhealthy?: true;
}

export const healthCommand: CommandFactory = (io) => ({
  command: new Command('health')
    .description(
      'show the health of all extensions and which rows are refused, or of one with its versions and instances',
    )
    .argument('[id]', 'extension')
    .option('--unhealthy', 'only extensions that are disabled or whose breaker is not closed')
    .option('--json', 'print JSON'),
  settings: 'http',
  action: async (id: string | undefined, options: HealthOptions) => {
    if (id !== undefined && options.unhealthy)
      throw new CommandError(EXIT.usage, '--unhealthy: has a meaning only without an extension');
    const base = await adminUrl(io, options);
    const all = options.unhealthy ? 'health?unhealthy=true' : 'health';
    const path = id === undefined ? all : `${encodeURIComponent(id)}/health`;
    const body = await adminJson(`${base}/admin/extensions/${path}`);
    if (options.json) {
      io.stdout.write(json(body));
      return;
    }
    const { oneText, reportText } = await import('../output/health-text.js');
    io.stdout.write(id === undefined ? reportText(body as HealthReport) : oneText(body as ExtensionHealth));
  },
});
