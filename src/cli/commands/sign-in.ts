// `extreg console`: an address of the console with a code of one use, to open in a browser.
import { Command, Option } from '#commander';
import { ROLES } from '../../domain/access/principal.js';
import type { CommandFactory } from '../options/command-definition.js';
import { json } from '../output/output.js';

interface ConsoleOptions {
  readonly print?: true;
  readonly role?: string;
  readonly json?: true;
}

interface LoginCode {
  readonly url: string;
  readonly expires_at: string;
}

export const consoleCommand: CommandFactory = (io) => ({
  command: new Command('console')
    .description('print an address of the console that signs a browser in, once, within a minute')
    .option('--print', 'the address alone, for a script')
    .addOption(new Option('--role <role>', 'what the browser may do; not more than this command may').choices(ROLES))
    .option('--json', 'print JSON'),
  settings: 'http',
  action: async (options: ConsoleOptions) => {
    const [{ adminUrl }, { adminJson }] = await Promise.all([
      import('../daemon/admin-url.js'),
      import('../daemon/admin-request.js'),
    ]);
    const { role } = options;
    const base = await adminUrl(io, options);
    const code = (await adminJson(`${base}/admin/login-codes`, role === undefined ? {} : { role })) as LoginCode;
    if (options.json) io.stdout.write(json(code));
    else if (options.print) io.stdout.write(`${code.url}\n`);
    else io.stdout.write(`${code.url}\nOpen it in a browser before ${code.expires_at}; it serves once.\n`);
  },
});
