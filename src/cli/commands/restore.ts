// `extreg restore <file>`: the embedded database as `extreg backup` found it.
import { resolve } from 'node:path';
import { Command } from '#commander';
import { commandConfig } from '../options/command-config.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { OutputOptions } from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { json } from '../output/output.js';
import { type ConfirmOptions, confirmByName } from '../process/confirm.js';

type RestoreOptions = OutputOptions & ConfirmOptions;

export const restoreCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('restore')
      .argument('<file>', 'of extreg backup')
      .option('--yes', 'without asking; needed where no terminal can be asked')
      .option('--json', 'print JSON'),
    'extreg restore registry.backup',
    'extreg restore registry.backup --yes --json',
  ),
  settings: 'database',
  action: async (file: string, options: RestoreOptions) => {
    io.ownProcess?.dropWasmOptimizer();
    const { config } = await commandConfig(io, options);
    const { restore } = await import('../registry/registry-backup.js');
    const done = await restore(config, resolve(io.cwd, file), async ({ made_at, extensions }) => {
      const question = `This replaces the registry, its audit trail and its access tokens by those of ${made_at} (${extensions} extensions).`;
      await confirmByName(io, { question, name: 'restore' }, options);
    });
    if (options.json) io.stdout.write(json(done));
    else if (!options.quiet)
      io.stdout.write(`restored ${done.extensions} extensions, ${done.rows} rows in all, of ${done.made_at}\n`);
  },
});
