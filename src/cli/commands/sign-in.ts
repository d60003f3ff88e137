// `extreg console`: an address of the console with a code of one use, to open in a browser.
import { Command, Option } from '#commander';
import { ROLES } from '../../domain/access/principal.js';
import { DaemonClient } from '../daemon/daemon-client.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { DaemonOptions, OutputOptions } from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { json } from '../output/output.js';

interface ConsoleOptions extends OutputOptions, DaemonOptions {
  readonly print?: true;
  readonly role?: string;
}

interface LoginCode {
  readonly url: string;
  readonly expires_at: string;
}

export const consoleCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('console')
      .option('--print', 'the address alone, for a script')
      .addOption(new Option('--role <role>', 'what the browser may do; not more than this command may').choices(ROLES))
      .option('--json', 'print JSON'),
    'extreg console',
    'xdg-open "$(extreg console --print --role viewer)"',
  ),
  settings: 'http',
  action: async (options: ConsoleOptions) => {
    const { role } = options;
    const daemon = await DaemonClient.of(io, options);
    const code = await daemon.json<LoginCode>('/admin/login-codes', role === undefined ? {} : { role });
    if (options.json) io.stdout.write(json(code));
    else if (options.print || options.quiet) io.stdout.write(`${code.url}\n`);
    else io.stdout.write(`${code.url}\nOpen it in a browser before ${code.expires_at}; it serves once.\n`);
  },
});
