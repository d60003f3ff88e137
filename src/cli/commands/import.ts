// `extreg import <file>`: makes the registry what a file says, in one transaction.
import { Command, Option } from '#commander';
import type { CommandFactory } from '../options/command-definition.js';
import type { ImportOptions } from '../registry/registry-import.js';

export const importCommand: CommandFactory = (io) => ({
  command: new Command('import')
    .description('create and change what a file says, in one transaction; what it does not name is left alone')
    .argument('<file>', 'a registry file, such as extreg export writes; - is standard input')
    .addOption(new Option('--format <format>', 'yaml or json, whatever the name of the file'))
    .option('--dry-run', 'show what would be written, and write nothing')
    .option('--prune', 'delete what the file lacks, and give fields that it lacks their default')
    .option('--force', 'with --prune: even if that deletes more than half of 10 or more')
    .option('--as <name>', 'who does it, for the audit trail (default: cli: and your user name)')
    .option('--reason <text>', 'why, for the audit trail')
    .option('--json', 'print JSON'),
  settings: 'registry',
  action: async (file: string, options: ImportOptions) =>
    (await import('../registry/registry-import.js')).importRegistry(io, file, options),
});
