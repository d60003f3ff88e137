// `extreg backup <file>`: registry, audit trail, access tokens and the facts of breakers, in one file.
import { resolve } from 'node:path';
import { Command } from '#commander';
import { commandConfig } from '../options/command-config.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { OutputOptions } from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { json } from '../output/output.js';

interface BackupOptions extends OutputOptions {
  readonly force?: true;
}

export const backupCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('backup')
      .argument('<file>', 'where to; hashes of access tokens are in it')
      .option('--force', 'overwrite it')
      .option('--json', 'print JSON'),
    'extreg backup registry.backup',
    'extreg backup "/var/backups/extreg-$(date +%F).backup" --quiet',
  ),
  settings: 'database',
  action: async (file: string, options: BackupOptions) => {
    io.ownProcess?.dropWasmOptimizer();
    const { config } = await commandConfig(io, options);
    const { backUp } = await import('../registry/registry-backup.js');
    const done = await backUp(config, resolve(io.cwd, file), options.force === true);
    if (options.json) io.stdout.write(json(done));
    else if (!options.quiet) io.stdout.write(`${done.extensions} extensions, ${done.rows} rows in all: ${done.file}\n`);
  },
});
