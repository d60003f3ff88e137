// `extreg export [file]`: the whole registry as a file.
import { Command, Option } from 'commander';
import { loadConfig } from '../config.js';
import { parseRegistryFile, registryFile } from '../domain/registry-file.js';
import { addConfigOptions, configFlags, REGISTRY_SETTINGS } from './config-options.js';

export function exportCommand(): Command {
  const command = new Command('export')
    .description('write the whole registry to a file, as extreg import takes it')
    .argument('[file]', 'where to; the ending decides the format; - is standard output', '-')
    .addOption(new Option('--format <format>', 'yaml or json, whatever the name of the file'))
    .option('--json', 'the same as --format json');
  return addConfigOptions(command, REGISTRY_SETTINGS).action(async (file: string, options: Record<string, unknown>) => {
    const [documents, { readRegistryRows }, { subjectRules, withRegistry }] = await Promise.all([
      import('./registry-document.js'),
      import('../db/registry-file-queries.js'),
      import('./registry-database.js'),
    ]);
    const format = documents.formatOf(file, options.json ? 'json' : (options.format as string | undefined));
    const config = loadConfig({ flags: configFlags(options), env: process.env, cwd: process.cwd() });
    const rows = await withRegistry(config, 'extreg export', readRegistryRows);
    const tree = registryFile(rows);
    documents.writeRegistryDocument(file, documents.renderRegistryDocument(tree, format));
    // Everything is in the file, also what a daemon refuses; whoever needs it back must know.
    const checked = parseRegistryFile(tree, subjectRules(config));
    if ('problems' in checked)
      process.stderr.write(
        `extreg: extreg import will not take this file as it is:\n${checked.problems.map((line) => `  ${line}\n`).join('')}`,
      );
  });
}
