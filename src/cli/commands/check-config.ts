// `extreg check-config`: only checks, and with --print shows what would be in force. It refuses what `serve` could not start with.

import { Command } from '#commander';
import { ConfigError } from '../../config/error.js';
import { commandConfig } from '../options/command-config.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { OutputOptions } from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { json, textTable } from '../output/output.js';
import { styleOf } from '../output/style.js';
import { EXIT } from '../process/command-error.js';

interface CheckOptions extends OutputOptions {
  readonly print?: true;
}

export const checkConfigCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('check-config')
      .option('--print', 'show the effective configuration, where each value comes from, and no secrets')
      .option('--json', 'print JSON'),
    'extreg check-config',
    'extreg check-config --print --config /etc/extreg.yaml',
  ),
  settings: 'all',
  action: async (options: CheckOptions) => {
    const [{ printableConfig }, { SETTING_KEYS }, { serveProblems }] = await Promise.all([
      import('../../config/config.js'),
      import('../../config/schema.js'),
      import('../process/serve-problems.js'),
    ]);
    try {
      const { config, origins } = await commandConfig(io, options);
      const problems = serveProblems(config, io.env);
      if (problems.length > 0) throw new ConfigError(problems);
      const settings = printableConfig(config);
      const described = SETTING_KEYS.map((key) => ({ key, value: settings[key], origin: origins[key] }));
      if (options.json) io.stdout.write(json({ valid: true, ...(options.print ? { settings: described } : {}) }));
      else if (options.print)
        io.stdout.write(
          textTable(
            ['SETTING', 'VALUE', 'FROM'],
            described.map(({ key, value, origin }) => [key, valueText(value), origin]),
            styleOf(io, options),
          ),
        );
      else if (!options.quiet) io.stdout.write('the configuration is valid\n');
      return 0;
    } catch (error) {
      if (!(error instanceof ConfigError) || !options.json) throw error;
      io.stdout.write(json({ valid: false, problems: error.problems }));
      return EXIT.configuration;
    }
  },
});

const valueText = (value: unknown): string =>
  value === null ? '-' : typeof value === 'string' ? value : JSON.stringify(value);
