// `extreg import <file>`: makes the registry what a file says, in one transaction.
import { Command, Option } from '#commander';
import type { CommandFactory } from '../options/command-definition.js';
import { addExamples } from '../options/examples.js';
import type { ImportOptions } from '../registry/registry-import.js';

export const importCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('import')
      .argument('<file>', 'a registry file, such as extreg export writes; - is standard input')
      .addOption(new Option('--format <format>', 'yaml or json, whatever the name of the file'))
      .option('--dry-run', 'show what would be written, and write nothing')
      .option('--prune', 'delete what the file lacks, and give fields that it lacks their default')
      .option('--force', 'with --prune: even if that deletes more than half of 10 or more')
      .option('--yes', 'without asking; --prune needs it where no terminal can be asked, unless it is a --dry-run')
      .option('--as <name>', 'who does it, for the audit trail (default: cli: and your user name)')
      .option('--reason <text>', 'why, for the audit trail')
      .option('--json', 'print JSON'),
    'extreg import registry.yaml --dry-run',
    "extreg import registry.yaml --reason 'reviewed'",
    "extreg import registry.yaml --prune --reason 'the file is complete' --yes",
  ),
  settings: 'registry',
  action: async (file: string, options: ImportOptions) =>
    (await import('../registry/registry-import.js')).importRegistry(io, file, options),
});
