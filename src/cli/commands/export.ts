// `extreg export [file]`: the whole registry as a file.
import { Command, Option } from '#commander';
import { commandConfig } from '../options/command-config.js';
import type { CommandFactory } from '../options/command-definition.js';
import { addExamples } from '../options/examples.js';
import { printable } from '../output/terminal-text.js';

interface ExportOptions {
  readonly format?: string;
  readonly json?: true;
  readonly quiet?: true;
}

export const exportCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('export')
      .argument('[file]', 'where to; the ending decides the format; - is standard output', '-')
      .addOption(new Option('--format <format>', 'yaml or json, whatever the name of the file'))
      .option('--json', 'the same as --format json'),
    'extreg export registry.yaml',
    'extreg export --json > registry.json',
  ),
  settings: 'registry',
  action: async (file: string, options: ExportOptions) => {
    const [{ parseRegistryFile, registryFile }, documents, { readRegistryRows }, { subjectRules, withRegistry }] =
      await Promise.all([
        import('../../domain/registry-file/registry-file.js'),
        import('../registry/registry-document.js'),
        import('../../db/queries/registry-file-queries.js'),
        import('../registry/registry-database.js'),
      ]);
    const format = documents.formatOf(file, options.json ? 'json' : options.format);
    const { config } = await commandConfig(io, options);
    const rows = await withRegistry(config, 'extreg export', readRegistryRows);
    const tree = registryFile(rows);
    documents.writeRegistryDocument(io, file, documents.renderRegistryDocument(tree, format));
    // Everything is in the file, also what a daemon refuses; the operator who imports it must know.
    const checked = parseRegistryFile(tree, subjectRules(config));
    if ('problems' in checked && !options.quiet)
      io.stderr.write(
        printable(
          `extreg: extreg import will not take this file as it is:\n${checked.problems.map((line) => `  ${line}\n`).join('')}`,
        ),
      );
  },
});
