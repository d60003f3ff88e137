// `extreg sql <statement>`: one statement against the registry's database.
import { Command } from 'commander';
import { loadConfig } from '../config.js';
import { addConfigOptions, configFlags, DATABASE_SETTINGS } from './config-options.js';
import { json, textTable } from './output.js';

export function sqlCommand(): Command {
  const command = new Command('sql')
    .description('run one SQL statement against the registry, also while the daemon runs')
    .argument('<statement>', 'one statement')
    .option('--json', 'print JSON')
    // A statement may begin with a comment, which looks like an option.
    .allowUnknownOption()
    .allowExcessArguments();
  return addConfigOptions(command, DATABASE_SETTINGS).action(
    async (statement: string, options: Record<string, unknown>) => {
      const unknown = command.args.find((word) => /^-\S*$/.test(word));
      if (unknown !== undefined) command.error(`error: unknown option '${unknown}'`);
      if (command.args.length > 1)
        command.error('error: too many arguments for sql: it takes one statement, in quotes');
      const config = loadConfig({ flags: configFlags(options), env: process.env, cwd: process.cwd() });
      const { runStatement } = await import('./sql-statement.js');
      const { verb, count, columns, rows } = await runStatement(config, statement);
      if (options.json) {
        const objects = rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]])));
        process.stdout.write(json({ command: verb, count, rows: objects }));
        return;
      }
      if (columns.length > 0)
        process.stdout.write(
          textTable(
            columns,
            rows.map((row) => row.map(cellText)),
          ),
        );
      process.stdout.write(columns.length > 0 ? `(${count} ${count === 1 ? 'row' : 'rows'})\n` : `${verb} ${count}\n`);
    },
  );
}

function cellText(value: unknown): string {
  if (value === null) return 'null';
  if (Buffer.isBuffer(value)) return `\\x${value.toString('hex')}`;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
